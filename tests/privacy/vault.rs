//! The vault: who has which key, who agrees with whom, and what is left once a key is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rtvoice::config::Environment;
use rtvoice::error::{Kind, Result};
use rtvoice::model::ids::{CallId, UserId, UserToken};
use rtvoice::model::time::Timestamp;
use rtvoice::ports::clock::ManualClock;
use rtvoice::ports::documents::embedded::EmbeddedDocuments;
use rtvoice::ports::documents::{Condition, Container, Document, Documents};
use rtvoice::ports::embedded::Embedded;
use rtvoice::ports::root_key::file::FileKeys;
use rtvoice::ports::root_key::{KeyWrapper, Wrapped};
use rtvoice::privacy::envelope::Place;
use rtvoice::privacy::vault::{Lives, Vault};
use zeroize::Zeroizing;

use crate::contract::documents;
use crate::harness::app::{PATIENCE, START};
use crate::harness::faults::{Fault, Switch, Switchable};

/// A vault on a file of its own, with everything that a test may want to turn or count.
pub struct TestVault {
    pub vault: Arc<Vault>,
    pub clock: Arc<ManualClock>,
    pub documents: Arc<dyn Documents>,
    pub faults: Switch,
    pub root: Arc<CountedRoot>,
    _folder: tempfile::TempDir,
}

/// A root key that counts what it is asked.
pub struct CountedRoot {
    inner: FileKeys,
    pub unwraps: AtomicUsize,
}

#[async_trait::async_trait]
impl KeyWrapper for CountedRoot {
    async fn wrap(&self, key: &[u8]) -> Result<Wrapped> {
        self.inner.wrap(key).await
    }

    async fn unwrap(&self, kid: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        self.unwraps.fetch_add(1, Ordering::SeqCst);
        self.inner.unwrap(kid, wrapped).await
    }

    async fn current(&self) -> Result<String> {
        self.inner.current().await
    }

    async fn made_at(&self) -> Result<Option<Timestamp>> {
        self.inner.made_at().await
    }

    async fn rotate(&self) -> Result<String> {
        self.inner.rotate().await
    }

    async fn retire(&self, kid: &str) -> Result<bool> {
        self.inner.retire(kid).await
    }
}

impl TestVault {
    pub fn start() -> Self {
        Self::with(Lives::default())
    }

    pub fn with(lives: Lives) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(START));
        let documents = EmbeddedDocuments::open(Embedded::open(&folder.path().join("rtvoice.db")).unwrap(), clock.clone()).unwrap();
        Self::on(Arc::new(documents), clock, folder, lives)
    }

    /// On another record; the root key is a file of `folder`.
    pub fn on(documents: Arc<dyn Documents>, clock: Arc<ManualClock>, folder: tempfile::TempDir, lives: Lives) -> Self {
        let faults = Switch::default();
        let documents: Arc<dyn Documents> = Arc::new(Switchable { inner: documents, switch: faults.clone() });
        let root = Arc::new(CountedRoot { inner: FileKeys::new(folder.path().join("keys.json"), clock.clone()), unwraps: AtomicUsize::new(0) });
        let vault = Arc::new(Vault::with_lives(documents.clone(), root.clone(), clock.clone(), Environment::Test, lives));
        Self { vault, clock, documents, faults, root, _folder: folder }
    }

    /// Another process on the same record and root key.
    pub fn another(&self) -> Arc<Vault> {
        Arc::new(self.same_store(Environment::Test))
    }

    pub fn same_store(&self, environment: Environment) -> Vault {
        Vault::new(self.documents.clone(), self.root.clone(), self.clock.clone(), environment)
    }

    /// Every document of keys in a partition.
    pub async fn keys(&self, partition: &str) -> Vec<Document> {
        self.documents.list(Container::Keys, partition, "", None, 1000).await.unwrap().documents
    }
}

/// A token of this sort and number.
pub fn token(sort: char, n: u128) -> UserToken {
    UserToken::parse(format!("{sort}1-{n:032x}")).unwrap()
}

fn call(id: &str) -> CallId {
    CallId::parse(id).unwrap()
}

const PLACE: Place<'static> = Place::document("profiles", "profile", "/preferences");

#[tokio::test]
async fn one_person_has_one_token() {
    let there = TestVault::start();
    let vault = &there.vault;
    let number = vault.phone_token("+14255550123").await.unwrap();
    assert_eq!(vault.phone_token("14255550123").await.unwrap(), number);
    assert_eq!(vault.user_token(&UserId::from_phone_raw_id("4:+14255550123").unwrap()).await.unwrap(), number);
    assert!(number.as_str().starts_with("u1-") && !number.is_call());
    let other = vault.user_token(&UserId::parse("14255550123").unwrap()).await.unwrap();
    assert_ne!(other, number, "an id of digits is no number");
    assert_ne!(vault.phone_token("14255550124").await.unwrap(), number);
    let of_call = vault.call_token(&call("14255550123")).await.unwrap();
    assert!(of_call.as_str().starts_with("c1-") && of_call.is_call());
    assert_ne!(of_call.as_str()[3..], other.as_str()[3..]);
    assert_eq!(there.another().phone_token("14255550123").await.unwrap(), number, "every process gives the same");
    assert_ne!(TestVault::start().vault.phone_token("14255550123").await.unwrap(), number, "every record has its own");
    for wrong in ["", "12", "1234567890123456", "1425555O123", "++14255550123"] {
        let e = vault.phone_token(wrong).await.unwrap_err();
        assert_eq!((e.kind, e.field.as_deref()), (Kind::BadInput, Some("phoneNumber")));
        assert!(wrong.is_empty() || !e.chain().contains(wrong), "{e}");
    }
    assert_eq!(vault.phrase_key().await.unwrap().bytes().len(), 32);
    assert_ne!(vault.fingerprint("a").await.unwrap(), vault.fingerprint("b").await.unwrap());
}

#[tokio::test]
async fn many_first_uses_cost_one_key() {
    let there = TestVault::start();
    let (ann, vault) = (token('u', 1), &there.vault);
    there.faults.calls();
    let seals = (0..200).map(|_| vault.seal(&ann, &PLACE, b"x"));
    let sealed = futures::future::try_join_all(seals).await.unwrap();
    assert_eq!(there.faults.calls(), ["list", "get", "put", "put"], "one look for user and epoch each, one write each");
    assert_eq!(there.keys(ann.as_str()).await.len(), 1);
    assert_eq!(there.keys("epochs").await.len(), 1);
    assert_eq!(there.root.unwraps.load(Ordering::SeqCst), 0, "who makes a key need not unwrap it");
    let another = there.another();
    futures::future::try_join_all(sealed.iter().map(|text| another.open(&ann, &PLACE, text))).await.unwrap();
    assert_eq!(there.root.unwraps.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn processes_that_make_keys_at_once_agree() {
    for _ in 0..10 {
        let there = TestVault::start();
        let ann = token('u', 1);
        let vaults: Vec<_> = (0..4).map(|_| there.another()).collect();
        let sealed = futures::future::try_join_all(vaults.iter().map(|vault| vault.seal(&ann, &PLACE, b"x"))).await.unwrap();
        for (vault, text) in vaults.iter().flat_map(|vault| sealed.iter().map(move |text| (vault, text))) {
            assert_eq!(vault.open(&ann, &PLACE, text).await.unwrap(), b"x");
        }
        assert_eq!(there.keys(ann.as_str()).await.len(), 1);
        let tokens = futures::future::try_join_all(vaults.iter().map(|vault| vault.phone_token("14255550123"))).await.unwrap();
        assert!(tokens.iter().all(|t| *t == tokens[0]));
    }
}

#[tokio::test]
async fn a_call_without_a_user_gets_one() {
    let there = TestVault::start();
    let (ann, id) = (token('u', 1), call("c-1"));
    let before = there.vault.new_call(&id, None).await.unwrap();
    assert!(before.subject().is_none() && before.wrap().starts_with("c:2026-W11:"), "{}", before.wrap());
    let sealed = before.seal(&PLACE, b"hello").unwrap();
    let after = there.vault.rewrap(&before, &ann).await.unwrap();
    assert!(after.wrap().starts_with(&format!("u:{ann}:")) && after.wrap().len() <= 300);
    assert!(after.wrap().bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-".contains(&b)), "{}", after.wrap());
    let another = there.another();
    for wrap in [before.wrap(), after.wrap()] {
        let cipher = another.call(&id, wrap).await.unwrap();
        assert_eq!(cipher.open(&PLACE, &sealed).unwrap(), b"hello");
        assert_eq!(cipher.wrap(), wrap);
    }
    assert_eq!(another.call(&id, after.wrap()).await.unwrap().subject(), Some(&ann));
}

#[tokio::test]
async fn a_shredded_subject_is_gone() {
    let there = TestVault::start();
    let (ann, bob, another) = (token('u', 1), token('u', 2), there.another());
    let text = there.vault.seal(&ann, &PLACE, b"x").await.unwrap();
    let kept = there.vault.seal(&bob, &PLACE, b"y").await.unwrap();
    let cipher = there.vault.new_call(&call("c-1"), Some(&ann)).await.unwrap();
    another.open(&ann, &PLACE, &text).await.unwrap();
    assert_eq!(there.vault.shred(&ann).await.unwrap(), 1);
    assert_eq!(there.vault.shred(&ann).await.unwrap(), 0);
    assert_eq!(there.vault.open(&ann, &PLACE, &text).await.unwrap_err().kind, Kind::Erased);
    assert_eq!(there.vault.call(cipher.call(), cipher.wrap()).await.unwrap_err().kind, Kind::Erased);
    assert_eq!(there.vault.open(&bob, &PLACE, &kept).await.unwrap(), b"y");
    another.forget(&ann).await.unwrap();
    assert_eq!(another.open(&ann, &PLACE, &text).await.unwrap_err().kind, Kind::Erased);
    // Who comes again has another key, and the old copies are erased, not tampered with.
    there.clock.advance_millis(60_000);
    there.vault.seal(&ann, &PLACE, b"z").await.unwrap();
    assert_eq!(there.vault.open(&ann, &PLACE, &text).await.unwrap_err().kind, Kind::Erased);
    assert_eq!(there.vault.refused().count(), 0);
}

#[tokio::test]
async fn keys_go_on_serving_while_the_record_is_away() {
    let short = Duration::from_millis(20);
    let there = TestVault::with(Lives { epoch: short, user: short, call: short, stale: Duration::from_secs(600), ..Lives::default() });
    let ann = token('u', 1);
    let text = there.vault.seal(&ann, &PLACE, b"x").await.unwrap();
    let cipher = there.vault.new_call(&call("c-1"), Some(&ann)).await.unwrap();
    let number = there.vault.phone_token("14255550123").await.unwrap();
    there.faults.fail(Fault::Away);
    there.faults.calls();
    let asked = async {
        while there.faults.calls().is_empty() {
            assert_eq!(there.vault.open(&ann, &PLACE, &text).await.unwrap(), b"x");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.expect("the record is asked again, in vain");
    there.vault.call(cipher.call(), cipher.wrap()).await.unwrap();
    assert_eq!(there.vault.phone_token("14255550123").await.unwrap(), number);
    let stranger = there.vault.new_call(&call("c-2"), Some(&token('u', 2))).await.unwrap();
    assert!(stranger.subject().is_none(), "whose key cannot be made is wrapped for the call alone");
    assert_eq!(there.vault.seal(&token('u', 3), &PLACE, b"x").await.unwrap_err().kind, Kind::Unavailable);
    // An erasure needs the record, and is not undone by what was in memory.
    there.faults.heal();
    there.another().shred(&ann).await.unwrap();
    let gone = async {
        while there.vault.open(&ann, &PLACE, &text).await.map_err(|e| e.kind) != Err(Kind::Erased) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("keys expire");
}

#[tokio::test]
async fn a_vault_that_is_off_seals_nothing_and_says_so() {
    assert_eq!(Vault::off(true).unwrap_err().kind, Kind::Setting);
    let (off, there) = (Vault::off(false).unwrap(), TestVault::start());
    let ann = off.user_token(&UserId::parse("ann").unwrap()).await.unwrap();
    assert!(ann.as_str().starts_with("u0-"));
    let text = off.seal(&ann, &PLACE, b"x").await.unwrap();
    assert!(text.starts_with("e0."));
    assert_eq!(off.open(&ann, &PLACE, &text).await.unwrap(), b"x");
    assert_eq!(off.new_call(&call("c-1"), None).await.unwrap().seal(&PLACE, b"x").unwrap(), b"\0x");
    assert_eq!(there.vault.open(&ann, &PLACE, &text).await.unwrap_err().kind, Kind::Tampered, "clear values are not taken for sealed ones");
    let sealed = there.vault.seal(&token('u', 1), &PLACE, b"x").await.unwrap();
    assert_eq!(off.open(&ann, &PLACE, &sealed).await.unwrap_err().kind, Kind::Setting);
}

#[tokio::test]
async fn a_spoilt_key_is_a_security_event() {
    let there = TestVault::start();
    let (ann, bob) = (token('u', 1), token('u', 2));
    let of_ann = there.vault.seal(&ann, &PLACE, b"x").await.unwrap();
    there.vault.seal(&bob, &PLACE, b"y").await.unwrap();
    // Bob's key in Ann's place.
    let mut swapped = there.keys(bob.as_str()).await.remove(0).body;
    swapped["user"] = ann.as_str().into();
    there.documents.put(Container::Keys, &swapped, Condition::Always).await.unwrap();
    let another = there.another();
    assert_eq!(another.open(&ann, &PLACE, &of_ann).await.unwrap_err().kind, Kind::Tampered);
    assert_eq!(another.seal(&ann, &PLACE, b"z").await.unwrap_err().kind, Kind::Tampered, "no new key hides it");
    let refused = another.refused().drain();
    assert_eq!(refused.iter().map(|r| (r.store, r.subject.as_str())).collect::<Vec<_>>(), [("cosmos", ann.as_str()), ("keys", ann.as_str())]);
}

#[tokio::test]
async fn so_it_is_on_cosmos_db() {
    let emulator = documents::emulator().await;
    let store = documents::connect(&emulator, true);
    store.check().await.unwrap();
    let there = TestVault::on(Arc::new(store), Arc::new(ManualClock::at(START)), tempfile::tempdir().unwrap(), Lives::default());
    let (ann, another) = (token('u', 1), there.another());
    let sealed = futures::future::try_join_all([&there.vault, &another].map(|vault| vault.seal(&ann, &PLACE, b"x"))).await.unwrap();
    for text in &sealed {
        assert_eq!(there.vault.open(&ann, &PLACE, text).await.unwrap(), b"x");
    }
    assert_eq!(there.keys(ann.as_str()).await.len(), 1);
    another.rotate_user(&ann).await.unwrap();
    let newer = another.seal(&ann, &PLACE, b"y").await.unwrap();
    assert_eq!(there.vault.open(&ann, &PLACE, &newer).await.unwrap(), b"y");
    there.clock.advance_millis(30 * 86_400_000);
    let done = there.vault.rotate_epoch().await.unwrap();
    assert_eq!((done.rewrapped, done.destroyed.len()), (2, 1), "{done:?}");
    assert_eq!(there.another().open(&ann, &PLACE, &sealed[0]).await.unwrap(), b"x");
    assert_eq!(there.vault.status().await.unwrap().user_keys, 2);
    assert_eq!(there.vault.shred(&ann).await.unwrap(), 2);
    assert_eq!(there.vault.open(&ann, &PLACE, &newer).await.unwrap_err().kind, Kind::Erased);
}
