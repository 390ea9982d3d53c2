//! The root key's keepers, a file and Key Vault: one contract, and what is each one's own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rtvoice::error::Kind;
use rtvoice::ports::clock::{Clock, SystemClock};
use rtvoice::ports::guarded::Guarded;
use rtvoice::ports::http;
use rtvoice::ports::root_key::KeyWrapper;
use rtvoice::ports::root_key::file::FileKeys;
use rtvoice::ports::root_key::key_vault::KeyVault;
use tokio::time::Instant;

use crate::harness::attempts::Held;
use crate::harness::identity::{identity, identity_for};
use crate::harness::key_vault::{Fault, KEY, KeyVaultStandIn};

const SECRET: [u8; 32] = *b"0123456789abcdef0123456789abcdef";

fn file(path: &Path) -> FileKeys {
    FileKeys::new(path.to_owned(), Arc::new(SystemClock) as Arc<dyn Clock>)
}

fn vault(standing_in: &KeyVaultStandIn) -> KeyVault {
    KeyVault::new(&standing_in.server.url(), KEY, http::loopback_client().unwrap(), identity())
}

/// What every keeper promises.
async fn keeps_its_contract(root: &dyn KeyWrapper) {
    let first = root.wrap(&SECRET).await.unwrap();
    assert!((1..=512).contains(&first.kid.len()));
    assert_eq!(root.current().await.unwrap(), first.kid);
    let made = root.made_at().await.unwrap().expect("a keeper that says so");
    assert!(made <= SystemClock.now() && made.millis() > 1_700_000_000_000, "{made}");
    assert_eq!(root.unwrap(&first.kid, &first.bytes).await.unwrap()[..], SECRET);
    assert_ne!(root.wrap(&SECRET).await.unwrap().bytes, first.bytes, "a wrap is never the same twice");
    assert!(!first.bytes.windows(8).any(|w| SECRET.windows(8).any(|s| s == w)));

    let mut flipped = first.bytes.clone();
    flipped[20] ^= 1;
    for spoilt in [&flipped[..], &first.bytes[1..], &[]] {
        assert_eq!(root.unwrap(&first.kid, spoilt).await.unwrap_err().kind, Kind::Tampered);
    }
    assert_eq!(root.retire(&first.kid).await.unwrap_err().kind, Kind::Conflict, "the current version stays");

    let kid = root.rotate().await.unwrap();
    assert_ne!(kid, first.kid);
    assert_eq!(root.current().await.unwrap(), kid);
    let second = root.wrap(&SECRET).await.unwrap();
    assert_eq!(second.kid, kid);
    assert_eq!(root.unwrap(&first.kid, &first.bytes).await.unwrap()[..], SECRET, "older versions still unwrap");
    assert_eq!(root.unwrap(&kid, &first.bytes).await.unwrap_err().kind, Kind::Tampered, "each version its own");

    assert!(root.retire(&first.kid).await.unwrap());
    let e = root.unwrap(&first.kid, &first.bytes).await.unwrap_err();
    assert!(matches!(e.kind, Kind::Setting | Kind::Denied), "{e}");
    assert_eq!(root.unwrap(&kid, &second.bytes).await.unwrap()[..], SECRET);
}

#[tokio::test]
async fn a_file_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    keeps_its_contract(&file(&folder.path().join("keys.json"))).await;
}

#[tokio::test]
async fn key_vault_keeps_the_contract() {
    let standing_in = KeyVaultStandIn::start();
    keeps_its_contract(&Guarded::new("Key Vault", vault(&standing_in))).await;
    assert_eq!(standing_in.server.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/on/demand/keys.json");
    let keys = file(&path);
    assert!(!path.exists(), "nothing is written before it is needed");
    let wrapped = keys.wrap(&SECRET).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o600);
    }
    for mode in [0o640, 0o604, 0o660, 0o644] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let e = keys.unwrap(&wrapped.kid, &wrapped.bytes).await.unwrap_err();
        assert!(e.kind == Kind::Setting && e.detail.contains("KEYS_PATH") && e.chain().contains(&format!("{mode:o}")), "{}", e.chain());
        assert_eq!(keys.wrap(&SECRET).await.unwrap_err().kind, Kind::Setting);
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    keys.unwrap(&wrapped.kid, &wrapped.bytes).await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_none_is_refused_and_left_alone() {
    use std::os::unix::fs::OpenOptionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let key = "c2VjcmV0LXZhbHVl";
    let written = [
        String::new(),
        "{".to_owned(),
        "[]".to_owned(),
        r#"{"versions":[],"more":1}"#.to_owned(),
        format!(r#"{{"versions":[{{"kid":"file-1","key":"{key}","created":"2026-01-15T10:00:00Z"}}]}}"#),
        format!(r#"{{"versions":[{{"kid":"file-1","key":"{key}"#),
    ];
    for text in written {
        let _ = std::fs::remove_file(&path);
        let mut options = std::fs::OpenOptions::new();
        std::io::Write::write_all(&mut options.create(true).write(true).mode(0o600).open(&path).unwrap(), text.as_bytes()).unwrap();
        for e in [file(&path).wrap(&SECRET).await.unwrap_err(), file(&path).unwrap("file-1", &[0; 60]).await.unwrap_err()] {
            assert!(e.kind == Kind::Setting && !e.chain().contains(key), "{text}: {}", e.chain());
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "nothing is overwritten");
    }
    let e = file(&folder.path().join("nowhere.json")).unwrap("file-1", &[0; 60]).await.unwrap_err();
    assert_eq!(e.kind, Kind::Setting, "unwrapping makes no keys");
    assert!(!folder.path().join("nowhere.json").exists());
}

/// Tries again where the lock was not to be had in time: others hold it, and a busy disk is slow.
async fn patiently<T>(mut work: impl AsyncFnMut() -> rtvoice::error::Result<T>) -> rtvoice::error::Result<T> {
    for _ in 0..10 {
        match work().await {
            Err(e) if e.kind == Kind::Deadline => {}
            result => return result,
        }
    }
    work().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_start_at_once_share_one_file() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.json");
        // What a process left behind that was killed while it wrote.
        std::fs::write(folder.path().join("keys.json.new"), "half").unwrap();
        let wraps = futures::future::try_join_all((0..16).map(|_| {
            let keys = file(&path);
            async move { patiently(async || keys.wrap(&SECRET).await).await }
        }));
        let wraps = wraps.await.unwrap();
        assert!(wraps.iter().all(|w| w.kid == wraps[0].kid), "one key for all");
        // Versions made at once are all kept.
        let kids = futures::future::try_join_all((0..8).map(|_| {
            let keys = file(&path);
            async move { patiently(async || keys.rotate().await).await }
        }));
        let mut kids = kids.await.unwrap();
        kids.sort();
        kids.dedup();
        assert_eq!(kids.len(), 8);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(kids.iter().all(|kid| text.contains(kid)));
        for wrap in wraps {
            assert_eq!(file(&path).unwrap(&wrap.kid, &wrap.bytes).await.unwrap()[..], SECRET);
        }
    }
}

#[tokio::test]
async fn key_vaults_refusals_have_their_kinds() {
    let standing_in = KeyVaultStandIn::start();
    let keys = vault(&standing_in);
    let wrapped = keys.wrap(&SECRET).await.unwrap();
    for (faults, kind) in [
        (vec![Fault::Status(401)], Kind::Denied),
        (vec![Fault::Status(403)], Kind::Denied),
        (vec![Fault::Status(404)], Kind::Setting),
        (vec![Fault::Status(400)], Kind::Tampered),
        (vec![Fault::Throttled(Some(60))], Kind::Throttled),
        (vec![Fault::Status(500); 2], Kind::Unavailable),
        (vec![Fault::Throttled(None); 2], Kind::Throttled),
        (vec![Fault::MalformedJson; 2], Kind::Internal),
        (vec![Fault::Huge(65 * 1024); 2], Kind::Internal),
        (vec![Fault::OtherVersion], Kind::Internal),
        (vec![Fault::Status(418)], Kind::Internal),
    ] {
        let (before, count) = (standing_in.server.seen().len(), faults.len());
        standing_in.server.inject(faults.clone());
        let e = keys.unwrap(&wrapped.kid, &wrapped.bytes).await.unwrap_err();
        assert_eq!(e.kind, kind, "{faults:?}: {}", e.chain());
        assert!(!e.chain().contains("secret-value"), "{}", e.chain());
        assert_eq!(standing_in.server.seen().len() - before, count, "{faults:?}");
    }
    for fault in [Fault::Status(500), Fault::Throttled(Some(0)), Fault::MalformedJson] {
        standing_in.server.inject([fault]);
        assert_eq!(keys.unwrap(&wrapped.kid, &wrapped.bytes).await.unwrap()[..], SECRET, "the second try helps");
    }
    standing_in.server.inject([Fault::Throttled(Some(60))]);
    assert_eq!(keys.wrap(&SECRET).await.unwrap_err().retry_after, Some(Duration::from_secs(60)));
    assert_eq!(standing_in.server.complaints(), Vec::<String>::new());
}

#[tokio::test]
async fn a_key_vault_that_hangs_is_given_up() {
    let standing_in = KeyVaultStandIn::start();
    let keys = vault(&standing_in);
    keys.current().await.unwrap();
    standing_in.server.inject([Fault::Hang, Fault::Hang]);
    let (held, started) = (Held::clock(), Instant::now());
    let current = tokio::spawn(async move { keys.current().await });
    held.second_attempt(Duration::from_millis(1_500), 2, || standing_in.server.seen().len()).await;
    drop(held);
    assert_eq!(current.await.unwrap().unwrap_err().kind, Kind::Deadline);
    assert!(started.elapsed() < Duration::from_millis(2_500), "{:?}", started.elapsed());
    assert_eq!(standing_in.server.seen().len(), 3);
}

#[tokio::test]
async fn our_token_goes_to_our_vault_alone() {
    let (ours, other) = (KeyVaultStandIn::start(), KeyVaultStandIn::start());
    let keys = vault(&ours);
    let wrapped = keys.wrap(&SECRET).await.unwrap();
    let version = wrapped.kid.rsplit('/').next().unwrap();
    let before = ours.server.seen().len();
    for kid in [
        format!("{}/keys/{KEY}/{version}", other.server.url()),
        format!("{}.example/keys/{KEY}/{version}", ours.server.url()),
        format!("{}/secrets/{KEY}/{version}", ours.server.url()),
        format!("{}/keys/{KEY}", ours.server.url()),
        format!("{}/keys/{KEY}/../{version}", ours.server.url()),
        format!("{}/keys/{KEY}/{version}?x=", ours.server.url()),
        "file-0123".to_owned(),
        String::new(),
    ] {
        assert_eq!(keys.unwrap(&kid, &wrapped.bytes).await.unwrap_err().kind, Kind::Setting, "{kid}");
    }
    assert_eq!((ours.server.seen().len(), other.server.seen().len()), (before, 0));
}

#[tokio::test]
async fn a_token_for_something_else_is_denied() {
    let standing_in = KeyVaultStandIn::start();
    let keys = KeyVault::new(&standing_in.server.url(), KEY, http::loopback_client().unwrap(), identity_for("https://management.azure.com"));
    assert_eq!(keys.wrap(&SECRET).await.unwrap_err().kind, Kind::Denied);
    assert_eq!(standing_in.server.complaints(), ["token"]);
    let keys = KeyVault::new(&standing_in.server.url(), "another", http::loopback_client().unwrap(), identity());
    assert_eq!(keys.wrap(&SECRET).await.unwrap_err().kind, Kind::Setting);
}

#[tokio::test]
async fn a_key_vault_that_is_away_is_not_asked_over_and_over() {
    let standing_in = KeyVaultStandIn::start();
    let keys = Guarded::new("Key Vault", vault(&standing_in));
    standing_in.server.inject(vec![Fault::Status(503); 6]);
    for _ in 0..3 {
        assert_eq!(keys.current().await.unwrap_err().kind, Kind::Unavailable);
    }
    let before = standing_in.server.seen().len();
    let e = keys.current().await.unwrap_err();
    assert!(e.kind == Kind::Unavailable && e.detail.contains("Key Vault"), "{e}");
    assert_eq!(standing_in.server.seen().len(), before);
}
