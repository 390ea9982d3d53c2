//! Two instances of the app on one Redis are one app.

use futures::future::join_all;
use serde_json::json;

use super::copies::one_turn;
use crate::harness::call::{Call, turn_ids};
use crate::harness::process::eventually;
use crate::harness::stack::Stack;

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_share_turns_events_and_phrases() {
    let stack = Stack::start().await;
    let twin = stack.handler.twin().await;
    let call = Call::new(&stack.handler);
    let both = [call.clone(), call.at(&twin)];

    let events = [call.event("CallConnected", json!({})), call.event("ParticipantsUpdated", participants())];
    let statuses = join_all((0..10).map(|n| both[n % 2].deliver(&events))).await;
    assert!(statuses.iter().all(|s| *s == 200), "{statuses:?}");
    assert_eq!(one_turn(&both, "many", 30).await.0, 1);

    // The stand-in's one reply is one phrase, asked for at both instances at once.
    let spoken = join_all((0..12).map(|n| both[n % 2].turn(json!({"turnId": format!("spoken-{n}"), "text": "say it"})))).await;
    for answer in spoken {
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_ne!(answer.body["speech"]["cache"], json!("unavailable"), "{answer:?}");
    }
    assert_eq!(stack.speech.seen().len(), 1, "synthesised once");
    let audio = join_all((0..8).map(|n| {
        let body = json!({"text": "another phrase"});
        let handler = std::sync::Arc::clone(&both[n % 2].handler);
        async move { handler.send("POST", "/api/tts", Some(&body)).await.expect("an answer").status }
    }));
    assert!(audio.await.iter().all(|s| *s == 200));
    assert_eq!(stack.speech.seen().len(), 2, "each phrase once");

    let ended = [call.event("CallDisconnected", json!({}))];
    let statuses = join_all((0..10).map(|n| both[n % 2].deliver(&ended))).await;
    assert!(statuses.iter().all(|s| *s == 200), "{statuses:?}");
    let archived = call.archived(13).await;
    assert!(archived.header.complete);
    assert_eq!(turn_ids(&archived)[0], "many");
    stack.delivered().await;
    let sent: Vec<_> = stack.bus.accepted().into_iter().filter(|m| m.label == "callEnded").collect();
    assert_eq!((sent.len(), stack.bus.duplicates_of("callEnded")), (1, 0), "the end was sent once, not dropped as a duplicate");
    let user = archived.header.user.expect("a user");
    let counted = async || rtvoice::steps::profile::stored(stack.handler.app(), &user).await.ok()?;
    let (profile, _) = eventually("a profile", || stack.handler.output(), counted).await;
    assert_eq!((profile.calls, profile.turns), (1, 13));
}

fn participants() -> serde_json::Value {
    let caller = json!({"identifier": {"rawId": "4:+14255550199", "kind": "phoneNumber", "phoneNumber": {"value": "+14255550199"}}, "isMuted": false});
    json!({"sequenceNumber": 3, "participants": [caller]})
}
