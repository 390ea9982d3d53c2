//! Keys: whatever an identifier looks like, it is refused or yields sound keys of one slot.

use proptest::prelude::*;
use rtvoice::model::ids::{CallId, TurnId, UserId, UserToken, WorkerId};
use rtvoice::ports::state::PARTITIONS;
use rtvoice::ports::state::keys::{CallKey, RedisKeyManager, TtlPolicy, lane};

use crate::harness::redis::config_for;

fn keys(cluster: bool) -> RedisKeyManager {
    let mut settings = vec![("APP_PREFIX", "app-1".to_owned())];
    if cluster {
        settings.extend([("REDIS_HOST", "127.0.0.1".to_owned()), ("REDIS_CLUSTER", "true".to_owned())]);
    }
    RedisKeyManager::new(&config_for(&settings))
}

/// CRC-16/XMODEM, bit by bit.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 }))
}

/// The slot as the cluster's specification says: of what stands in the first braces, where that is not empty.
fn slot(key: &str) -> u16 {
    let inside = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(inside, _)| inside).filter(|inside| !inside.is_empty());
    crc16(inside.unwrap_or(key).as_bytes()) % 16384
}

fn sound(text: &str, max: usize) -> bool {
    (1..=max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

/// Identifiers as they come: mostly sound, some with what would break a key, some anything at all.
fn identifier() -> impl Strategy<Value = String> {
    prop_oneof!["[A-Za-z0-9_.-]{1,129}", "[A-Za-z0-9_.:{}*?\\[\\] /-]{0,12}", any::<String>()]
}

#[test]
fn the_slot_is_the_specifications() {
    assert_eq!(crc16(b"123456789"), 0x31C3);
    assert_eq!(slot("{user1000}.following"), slot("{user1000}.followers"));
}

proptest! {
    #[test]
    fn an_identifier_is_refused_or_safe(text in identifier()) {
        prop_assert_eq!(CallId::parse(text.as_str()).is_ok(), sound(&text, 128));
        prop_assert_eq!(TurnId::parse(text.as_str()).is_ok(), sound(&text, 64));
        prop_assert_eq!(UserId::parse(text.as_str()).is_ok(), sound(&text, 128));
        prop_assert_eq!(WorkerId::parse(text.as_str()).is_ok(), sound(&text, 128));
        prop_assert_eq!(serde_json::from_value::<CallId>(text.clone().into()).is_ok(), sound(&text, 128));
    }

    #[test]
    fn every_key_has_five_parts(text in "[A-Za-z0-9_.-]{1,128}") {
        let (call, worker) = (CallId::parse(text.as_str()).unwrap(), WorkerId::parse(text.as_str()).unwrap());
        for cluster in [false, true] {
            let keys = keys(cluster);
            let mut all: Vec<String> = CallKey::ALL.into_iter().map(|key| keys.call(&call, key)).collect();
            let identifier = if cluster { format!("{{{text}}}") } else { text.clone() };
            prop_assert!(all.iter().all(|key| key.split(':').nth(3) == Some(&identifier)));
            all.extend([keys.worker_affinity(&worker), keys.worker_heartbeat(&worker), keys.open_calls_of(&call), keys.audio_index()]);
            for key in &all {
                let parts: Vec<&str> = key.split(':').collect();
                prop_assert_eq!(parts.len(), 5, "{}", key);
                prop_assert_eq!(&parts[..2], ["app-1", "test"]);
                prop_assert!(["call", "conversation", "worker", "system"].contains(&parts[2]));
                prop_assert!(key.starts_with(&keys.root()) && !key.contains(['*', '?', '[', ' ']));
            }
            let user = UserToken::parse("u1-0123456789abcdef0123456789abcdef").unwrap();
            prop_assert_eq!(keys.profile(&user), format!("app-1:test:cache:profile:{user}"));
            prop_assert_eq!(keys.calls_of(&user), format!("app-1:test:system:user-{user}:calls"));
        }
    }

    #[test]
    fn all_keys_of_a_call_share_a_slot(text in "[A-Za-z0-9_.-]{1,128}") {
        let call = CallId::parse(text.as_str()).unwrap();
        let slots: Vec<u16> = CallKey::ALL.into_iter().map(|key| slot(&keys(true).call(&call, key))).collect();
        prop_assert!(slots.iter().all(|s| *s == slots[0] && *s == crc16(text.as_bytes()) % 16384));
        prop_assert_eq!(lane(&call, u16::from(PARTITIONS)), crc16(text.as_bytes()) % 16);
    }

    #[test]
    fn no_life_is_zero_or_beyond_its_bounds(multiplier in 0.0001f64..100.0, idle in 60u64..=86_400) {
        let settings = [("TTL_MULTIPLIER", multiplier.to_string()), ("CALL_IDLE_LIMIT", idle.to_string())];
        let keys = RedisKeyManager::new(&config_for(&settings));
        for policy in TtlPolicy::ALL {
            prop_assert!(keys.ttl(policy) >= 1);
        }
        prop_assert!(keys.ttl(TtlPolicy::SessionHistory) >= idle + 3600);
        prop_assert!(keys.ttl(TtlPolicy::Ended) >= keys.ttl(TtlPolicy::SessionHistory));
        prop_assert_eq!((keys.ttl(TtlPolicy::Outbox), keys.ttl(TtlPolicy::OpenCalls)), (604_800, 691_200));
    }
}
