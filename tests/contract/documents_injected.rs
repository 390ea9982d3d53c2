//! Documents on Cosmos DB under the faults that the SDK injects itself, below its own pipeline: what they become by the contract of
//! the port.

use std::sync::Arc;
use std::time::Duration;

use azure_data_cosmos::fault_injection::{
    CustomResponseBuilder, FaultInjectionConditionBuilder, FaultInjectionErrorType, FaultInjectionResultBuilder, FaultInjectionRule, FaultInjectionRuleBuilder,
    FaultOperationType,
};
use rtvoice::error::{Kind, Result};
use rtvoice::ports::documents::cosmos::CosmosDocuments;
use rtvoice::ports::documents::{Condition, Container, Documents as _, Put};
use tokio::time::Instant;

use super::documents::{emulator, page};
use crate::harness::cosmos::CosmosEmulator;

/// What the SDK does to requests of this kind while it is enabled.
pub fn rule(name: &str, operation: Option<FaultOperationType>, fault: &Injected) -> Arc<FaultInjectionRule> {
    let result = FaultInjectionResultBuilder::new();
    let result = match *fault {
        Injected::Answer(status, wait) => {
            let answer = CustomResponseBuilder::new(status.into());
            let answer = match wait {
                Some(wait) => answer.with_header("x-ms-retry-after-ms", wait.as_millis().to_string()),
                None => answer,
            };
            result.with_custom_response(answer.with_body(&br#"{"code":"Injected","message":"by the SDK"}"#[..]).build())
        }
        Injected::Error(error) => result.with_error(error),
        Injected::Slow(by) => result.with_delay(by),
    };
    let mut condition = FaultInjectionConditionBuilder::new().with_container_id(Container::Transcripts.name());
    if let Some(operation) = operation {
        condition = condition.with_operation_type(operation);
    }
    let rule = Arc::new(FaultInjectionRuleBuilder::new(name, result.build()).with_condition(condition.build()).build());
    rule.disable();
    rule
}

/// A fault of the SDK's.
#[derive(Debug, Clone, Copy)]
pub enum Injected {
    /// This status, with `x-ms-retry-after-ms` where it says when to come back.
    Answer(u16, Option<Duration>),
    /// One of the SDK's own kinds.
    Error(FaultInjectionErrorType),
    /// Answered this much later.
    Slow(Duration),
}

/// A store whose SDK has these rules.
pub fn store(emulator: &CosmosEmulator, rules: Vec<Arc<FaultInjectionRule>>) -> CosmosDocuments {
    let adapt =
        move |builder: azure_data_cosmos::CosmosClientBuilder| builder.with_fault_injection_rules(rules.clone()).expect("rules with names of their own");
    CosmosDocuments::adapted(&emulator.config("rtvoice"), None, true, Arc::new(adapt)).expect("a store")
}

/// What each method makes of one fault; none where it is done all the same.
async fn outcomes(store: &CosmosDocuments, etag: &str) -> [Option<(Kind, Option<Duration>)>; 5] {
    fn told<T>(result: Result<T>) -> Option<(Kind, Option<Duration>)> {
        result.err().map(|e| (e.kind, e.retry_after))
    }
    [
        told(store.get(Container::Transcripts, "c", "h").await),
        told(store.list(Container::Transcripts, "c", "", None, 5).await),
        told(store.put(Container::Transcripts, &page("c", "other"), Condition::Always).await),
        told(store.put(Container::Transcripts, &page("c", "h"), Condition::Matches(etag)).await),
        told(store.delete(Container::Transcripts, "c", "nobody", Some(etag)).await),
    ]
}

#[tokio::test]
async fn each_fault_of_the_sdk_becomes_what_the_contract_says_within_the_deadline() {
    let wait = Duration::from_millis(300);
    let table = [
        (Injected::Answer(429, Some(wait)), (Kind::Throttled, Some(wait))),
        (Injected::Error(FaultInjectionErrorType::TooManyRequests), (Kind::Throttled, None)),
        (Injected::Answer(503, None), (Kind::Unavailable, None)),
        (Injected::Error(FaultInjectionErrorType::ServiceUnavailable), (Kind::Unavailable, None)),
        (Injected::Error(FaultInjectionErrorType::InternalServerError), (Kind::Unavailable, None)),
        (Injected::Error(FaultInjectionErrorType::Timeout), (Kind::Unavailable, None)),
        // The SDK goes on trying a 449 itself, for longer than we wait.
        (Injected::Error(FaultInjectionErrorType::RetryWith), (Kind::Deadline, None)),
        (Injected::Error(FaultInjectionErrorType::ConnectionError), (Kind::Unavailable, None)),
        (Injected::Error(FaultInjectionErrorType::ResponseTimeout), (Kind::Unavailable, None)),
        (Injected::Slow(Duration::from_secs(30)), (Kind::Deadline, None)),
    ];
    let emulator = emulator().await;
    let rules: Vec<_> = table.iter().enumerate().map(|(number, (fault, _))| rule(&format!("{number}"), None, fault)).collect();
    let store = store(&emulator, rules.clone());
    store.check().await.expect("it is there");
    let Put::Done(etag) = store.put(Container::Transcripts, &page("c", "h"), Condition::Always).await.expect("written") else { panic!("refused") };
    for ((fault, expected), rule) in table.iter().zip(&rules) {
        rule.enable();
        let began = Instant::now();
        let (met, outcomes) = (rule.hit_count(), outcomes(&store, &etag).await);
        rule.disable();
        assert!(rule.hit_count() > met, "{fault:?} was met");
        assert_eq!(outcomes, [Some(*expected); 5], "{fault:?}");
        // Two seconds each, and what the machine adds.
        assert!(began.elapsed() < Duration::from_secs(5 * 2 + 3), "{fault:?} took {:?}", began.elapsed());
        // Whoever asks next is served.
        assert!(store.get(Container::Transcripts, "c", "h").await.expect("it is over").is_some(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_failed_condition_is_a_conflict_and_nothing_is_written() {
    let emulator = emulator().await;
    let rule = rule("412", Some(FaultOperationType::ReplaceItem), &Injected::Answer(412, None));
    let store = store(&emulator, vec![Arc::clone(&rule)]);
    store.check().await.expect("it is there");
    let Put::Done(etag) = store.put(Container::Transcripts, &page("c", "h"), Condition::Always).await.expect("written") else { panic!("refused") };
    rule.enable();
    let put = store.put(Container::Transcripts, &page("c", "h"), Condition::Matches(&etag)).await.expect("an answer");
    assert_eq!((put, rule.hit_count()), (Put::Conflict, 1), "no second try");
    rule.disable();
    assert!(matches!(store.put(Container::Transcripts, &page("c", "h"), Condition::Matches(&etag)).await, Ok(Put::Done(_))), "it is what it was");
}

#[tokio::test]
async fn an_answer_that_is_lost_after_the_service_had_written_is_written_once() {
    let emulator = emulator().await;
    let lost = Injected::Error(FaultInjectionErrorType::ResponseTimeoutAfterService);
    let rule = rule("lost", None, &lost);
    let store = store(&emulator, vec![Arc::clone(&rule)]);
    store.check().await.expect("it is there");
    rule.enable();
    let put = store.put(Container::Transcripts, &page("c", "new"), Condition::Absent).await;
    assert_eq!(put.expect_err("nobody can tell").kind, Kind::Unavailable, "what may have happened is not tried again");
    rule.disable();
    assert_eq!(store.put(Container::Transcripts, &page("c", "new"), Condition::Absent).await.expect("an answer"), Put::Conflict, "it had been written");
    assert_eq!(store.list(Container::Transcripts, "c", "", None, 5).await.expect("a list").documents.len(), 1);
}
