//! `rtvoice health`: the app's own look, or that of a target.

use rtvoice::error::Kind;
use rtvoice::ops::health::{self, HealthArgs};

use super::{args, json};
use crate::harness::app::Rtvoice;
use crate::harness::faults::Fault;
use crate::harness::process::Handler;

#[tokio::test]
async fn it_looks_itself_and_says_no_where_something_is_away() {
    let app = Rtvoice::start();
    let told = health::look(&app.app, &args::<HealthArgs>(&["--json"])).await.unwrap();
    assert!(told.good);
    assert_eq!(json(&told)["status"], "healthy");
    app.finish().await;

    let app = Rtvoice::start();
    app.documents.fail_in("check", Fault::Away);
    let told = health::look(&app.app, &args::<HealthArgs>(&[])).await.unwrap();
    assert!(!told.good);
    assert!(told.text.starts_with("degraded"), "{}", told.text);
    app.documents.heal();
    app.finish().await;
}

#[tokio::test]
async fn it_asks_a_target() {
    let handler = Handler::start(Vec::new()).await;
    let url = format!("http://127.0.0.1:{}", handler.port().unwrap());
    let told = health::ask(&args::<HealthArgs>(&["--json", "--target", &url]), &url).await.unwrap();
    assert!(told.good);
    assert_eq!(json(&told)["details"]["redis_connectivity"]["status"], "healthy");
    handler.kill();
    assert_eq!(health::ask(&args::<HealthArgs>(&[]), &url).await.unwrap_err().kind, Kind::Unavailable);
    assert_eq!(health::ask(&args::<HealthArgs>(&[]), "http://example.com").await.unwrap_err().kind, Kind::BadInput, "a key may not travel in clear");
}
