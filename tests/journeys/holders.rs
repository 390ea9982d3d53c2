//! The process that delivers the embedded queue is killed with messages in its hands: another one has them within seconds, not when
//! their locks run out after a minute.

use std::time::Duration;

use crate::harness::call::{Call, turn_ids};
use crate::harness::cosmos::{CosmosEmulator, Fault};
use crate::harness::process::{Handler, eventually};
use crate::harness::stopwatch::Stopwatch;

/// A sixth of what a lock lasts.
const SOON: Duration = Duration::from_secs(10);

/// A handler that delivers its queue itself, killed while it writes a turn into a record that hangs.
async fn killed() -> (std::sync::Arc<Handler>, CosmosEmulator, Call) {
    let cosmos = CosmosEmulator::start().await;
    let handler = Handler::start(vec![("COSMOS_ENDPOINT", cosmos.endpoint()), ("COSMOS_KEY", cosmos.key())]).await;
    let call = Call::new(&handler);
    call.connect().await;
    call.said("before", "all is well").await;
    let queue = handler.app().embedded_queue.clone().expect("an embedded queue");
    let pending = async || queue.stats().await.expect("stats").pending();
    eventually("it is delivered", || handler.output(), async || (pending().await == 0).then_some(())).await;
    cosmos.fail_all(Fault::Hang);
    call.said("held", "while the record hangs").await;
    let held = async || (queue.stats().await.expect("stats").locked == 1).then_some(());
    eventually("it is being delivered", || handler.output(), held).await;
    handler.kill();
    assert_eq!(queue.stats().await.expect("stats").locked, 1, "nobody has given it back");
    (handler, cosmos, call)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_that_lives_gets_it() {
    let (handler, _cosmos, _call) = killed().await;
    let queue = handler.app().embedded_queue.clone().expect("an embedded queue");
    let watch = Stopwatch::start();
    let freed = async || queue.receive(10, Duration::from_secs(60)).await.expect("received").pop();
    let freed = eventually("it is free", || handler.output(), freed).await;
    watch.below(SOON, "until it was free");
    assert_eq!(freed.delivery_count, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_after_it_gets_it() {
    let (handler, cosmos, call) = killed().await;
    cosmos.recover();
    handler.restart().await;
    let watch = Stopwatch::start();
    call.disconnect().await;
    let archived = watch.in_time(SOON, || format!("no archive in time:\n{}", handler.output()), call.archived(2)).await;
    assert_eq!((turn_ids(&archived), archived.header.complete), (vec!["before".to_owned(), "held".to_owned()], true), "{:?}", watch.elapsed());
}
