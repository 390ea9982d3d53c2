//! Sealed values open where they were sealed, whole and unchanged, and nowhere else.

use proptest::prelude::*;
use rtvoice::error::Kind;
use rtvoice::model::ids::{CallId, UserToken};
use rtvoice::privacy::envelope::{self, Header, OVERHEAD, Place, Store};

use super::vault::{TestVault, token};

const PLACE: Place<'static> = Place { store: Store::Redis, container: "rtvoice:test:call:c-1:history", id: "t-1", field: "reply" };

/// Places that differ from [`PLACE`] in one thing each, and some whose items run into each other.
fn elsewhere() -> Vec<Place<'static>> {
    vec![
        Place { store: Store::Cosmos, ..PLACE },
        Place { store: Store::Queue, ..PLACE },
        Place { container: "rtvoice:test:call:c-2:history", ..PLACE },
        Place { container: "", ..PLACE },
        Place { id: "t-2", ..PLACE },
        Place { id: "", ..PLACE },
        Place { field: "text", ..PLACE },
        Place { field: "", ..PLACE },
        Place { container: "rtvoice:test:call:c-1:historyt", id: "-1", ..PLACE },
        Place { id: "t-1r", field: "eply", ..PLACE },
        Place { container: "rtvoice:test:call:c-1:history", id: "reply", field: "t-1", ..PLACE },
    ]
}

/// Another subject's key is another key already; the subject is bound all the same, and each thing by itself.
#[test]
fn everything_is_in_the_associated_data() {
    let header = Header::parse(&[&[1, 1, 0, 0, 0, 7][..], &[3; 16], &[0; 16]].concat()).unwrap().0.bytes();
    let of = |environment: &str, place: &Place<'_>, subject: &str| envelope::associated(environment, place, subject, &header);
    let mut all = vec![of("test", &PLACE, "u1-ann"), of("test", &PLACE, "u1-bob"), of("production", &PLACE, "u1-ann")];
    all.extend(elsewhere().iter().map(|place| of("test", place, "u1-ann")));
    let mut other = header;
    other[5] = 8;
    all.push(envelope::associated("test", &PLACE, "u1-ann", &other));
    let count = all.len();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), count);
}

#[tokio::test]
async fn a_value_opens_at_its_place_alone() {
    let there = TestVault::start();
    let (ann, bob) = (token('u', 1), token('u', 2));
    let sealed = there.vault.seal_bytes(&ann, &PLACE, b"555 0123").await.unwrap();
    assert_eq!(sealed.len(), OVERHEAD + 8);
    assert_eq!(there.vault.open_bytes(&ann, &PLACE, &sealed).await.unwrap(), b"555 0123");
    for place in elsewhere() {
        let e = there.vault.open_bytes(&ann, &place, &sealed).await.unwrap_err();
        assert_eq!(e.kind, Kind::Tampered, "{place:?}");
        assert!(!e.chain().contains("0123"), "{e}");
    }
    there.vault.seal_bytes(&bob, &PLACE, b"has a key of the same version").await.unwrap();
    assert_eq!(there.vault.open_bytes(&bob, &PLACE, &sealed).await.unwrap_err().kind, Kind::Tampered, "another subject");
    assert_eq!(there.vault.refused().count(), elsewhere().len() as u64 + 1);
    let drained = there.vault.refused().drain();
    assert_eq!((drained[0].store, drained[0].subject.as_str()), ("cosmos", ann.as_str()));
    assert!(there.vault.refused().drain().is_empty());
}

#[tokio::test]
async fn the_value_of_another_environment_or_version_is_refused() {
    let there = TestVault::start();
    let ann = token('u', 1);
    let old = there.vault.seal_bytes(&ann, &PLACE, b"old").await.unwrap();
    let staging = there.same_store(rtvoice::config::Environment::Staging);
    assert_eq!(staging.open_bytes(&ann, &PLACE, &old).await.unwrap_err().kind, Kind::Tampered, "another environment");
    there.vault.rotate_user(&ann).await.unwrap();
    let new = there.vault.seal_bytes(&ann, &PLACE, b"new").await.unwrap();
    assert_ne!(old[2..6], new[2..6]);
    let mut swapped = old.clone();
    swapped[2..6].copy_from_slice(&new[2..6]);
    assert_eq!(there.vault.open_bytes(&ann, &PLACE, &swapped).await.unwrap_err().kind, Kind::Tampered, "another version");
    assert_eq!(there.vault.open_bytes(&ann, &PLACE, &old).await.unwrap(), b"old");
}

#[tokio::test]
async fn the_value_of_another_call_is_refused() {
    let there = TestVault::start();
    let (one, two) = (CallId::parse("c-1").unwrap(), CallId::parse("c-2").unwrap());
    let (mine, other) = (there.vault.new_call(&one, None).await.unwrap(), there.vault.new_call(&two, None).await.unwrap());
    let sealed = mine.seal(&PLACE, b"hello").unwrap();
    assert_eq!(sealed.len(), OVERHEAD + 5);
    assert_eq!(mine.open(&PLACE, &sealed).unwrap(), b"hello");
    assert_eq!(other.open(&PLACE, &sealed).unwrap_err().kind, Kind::Tampered);
    for place in elsewhere() {
        assert_eq!(mine.open(&place, &sealed).unwrap_err().kind, Kind::Tampered, "{place:?}");
    }
    assert_eq!(there.vault.call(&two, mine.wrap()).await.unwrap_err().kind, Kind::Tampered, "the wrap is bound to the call too");
    let ann = token('u', 1);
    assert!(there.vault.open_bytes(&ann, &PLACE, &sealed).await.is_err(), "a call's value is no user's");
    let users = there.vault.seal_bytes(&ann, &PLACE, b"hello").await.unwrap();
    assert_eq!(mine.open(&PLACE, &users).unwrap_err().kind, Kind::Tampered, "a user's value is no call's");
}

#[tokio::test]
async fn every_byte_counts() {
    let there = TestVault::start();
    let ann = token('u', 1);
    let call = there.vault.new_call(&CallId::parse("c-1").unwrap(), Some(&ann)).await.unwrap();
    let (of_user, of_call) = (there.vault.seal_bytes(&ann, &PLACE, b"four").await.unwrap(), call.seal(&PLACE, b"four").unwrap());
    for sealed in [&of_user, &of_call] {
        let open = async |bytes: &[u8]| (there.vault.open_bytes(&ann, &PLACE, bytes).await, call.open(&PLACE, bytes));
        for at in 0..sealed.len() {
            let (user, call) = open(&sealed[..at]).await;
            assert!(user.is_err() && call.is_err(), "cut at {at}");
            for bit in 0..8 {
                let mut flipped = sealed.clone();
                flipped[at] ^= 1 << bit;
                let (user, call) = open(&flipped).await;
                assert!(user.is_err() && call.is_err(), "bit {bit} of byte {at}");
            }
        }
        let (user, call) = open(&[&sealed[..], &[0]].concat()).await;
        assert!(user.is_err() && call.is_err(), "one more byte");
    }
}

#[tokio::test]
async fn the_text_form_is_one_and_only() {
    let there = TestVault::start();
    let ann = token('u', 1);
    let text = there.vault.seal(&ann, &PLACE, "Grüße".as_bytes()).await.unwrap();
    assert!(text.starts_with("e1.") && text[3..].bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')), "{text}");
    assert_eq!(there.vault.open(&ann, &PLACE, &text).await.unwrap(), "Grüße".as_bytes());
    let others = [
        &text[3..],
        &format!("{text}="),
        &format!("{text} "),
        &text.replacen("e1.", "e2.", 1),
        &text.replacen("e1.", "e0.", 1),
        &text.replacen("e1.", "E1.", 1),
        "e1.",
        "e0.",
        "",
    ];
    for other in others {
        assert_eq!(there.vault.open(&ann, &PLACE, other).await.unwrap_err().kind, Kind::Tampered, "{other:?}");
    }
    let (header, sealed) = Header::parse(&envelope::from_text(&text).unwrap()).map(|(h, s)| (h, s.len())).unwrap();
    assert_eq!((envelope::key_version(&text), sealed), (Some(header.key_version), 7 + 16));
}

#[tokio::test]
async fn two_seals_of_one_value_have_nothing_in_common() {
    let there = TestVault::start();
    let ann = token('u', 1);
    let call = there.vault.new_call(&CallId::parse("c-1").unwrap(), None).await.unwrap();
    let (a, b) = (there.vault.seal_bytes(&ann, &PLACE, b"same").await.unwrap(), there.vault.seal_bytes(&ann, &PLACE, b"same").await.unwrap());
    assert!(a[6..22] != b[6..22] && a[22..] != b[22..]);
    let (a, b) = (call.seal(&PLACE, b"same").unwrap(), call.seal(&PLACE, b"same").unwrap());
    assert!(a[6..18] != b[6..18] && a[22..] != b[22..]);
}

#[test]
fn the_items_of_a_place_do_not_run_into_each_other() {
    let header = [0; envelope::HEADER];
    let data = |container, id, field, subject| envelope::associated("test", &Place { store: Store::Redis, container, id, field }, subject, &header);
    assert_ne!(data("ab", "c", "", ""), data("a", "bc", "", ""));
    assert_ne!(data("a", "b", "c", ""), data("a", "b", "", "c"));
    assert_ne!(data("a", "", "b", "c"), data("", "a", "b", "c"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_sealed_opens_again(plain in proptest::collection::vec(any::<u8>(), 0..2000), container in "\\PC{0,40}", id in "\\PC{0,40}", field in "\\PC{0,40}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let there = shared();
            let place = Place { store: Store::Cosmos, container: &container, id: &id, field: &field };
            let ann = token('u', 1);
            let text = there.vault.seal(&ann, &place, &plain).await.unwrap();
            prop_assert_eq!(&there.vault.open(&ann, &place, &text).await.unwrap(), &plain);
            let call = there.vault.new_call(&CallId::parse("c-1").unwrap(), None).await.unwrap();
            let text = call.seal_text(&place, &plain).unwrap();
            prop_assert_eq!(&call.open_text(&place, &text).unwrap(), &plain);
            Ok(())
        })?;
    }

    #[test]
    fn arbitrary_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,100}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let there = shared();
            let (ann, call) = (token('u', 1), CallId::parse("c-1").unwrap());
            prop_assert!(there.vault.open_bytes(&ann, &PLACE, &bytes).await.is_err());
            prop_assert!(there.vault.open(&ann, &PLACE, &text).await.is_err());
            prop_assert!(there.vault.call(&call, &text).await.is_err());
            Ok(())
        })?;
    }

    #[test]
    fn a_token_has_one_shape(text in "\\PC{0,40}") {
        prop_assert!(UserToken::parse(text).is_err());
    }
}

fn shared() -> &'static TestVault {
    static SHARED: std::sync::OnceLock<TestVault> = std::sync::OnceLock::new();
    SHARED.get_or_init(TestVault::start)
}
