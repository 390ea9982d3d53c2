//! Locks of the embedded queue whose holder is gone: they are free at once, and those of the living stay.

use std::time::Duration;

use rtvoice::ports::queue::Queue as _;
use rtvoice::ports::queue::embedded::{Delivery, EmbeddedQueue};
use tokio::time::{Instant, timeout};

use super::{OnFile, message};

const LOCK: Duration = Duration::from_secs(60);
/// Well above the second in which it is looked again, and well below the lock.
const SOON: Duration = Duration::from_secs(20);

async fn receive(queue: &EmbeddedQueue) -> Vec<Delivery> {
    queue.receive(10, LOCK).await.expect("received")
}

/// Receives as a deliverer does until there is something. The clock of the queue stands still: no lock runs out meanwhile.
async fn next(queue: &EmbeddedQueue) -> Delivery {
    let deliver = async {
        let mut changes = queue.changes().await.expect("watching");
        loop {
            if let Some(delivery) = receive(queue).await.pop() {
                return delivery;
            }
            changes.next(LOCK).await.expect("a wake-up");
        }
    };
    timeout(SOON, deliver).await.expect("soon")
}

#[tokio::test]
async fn a_living_deliverer_gets_what_another_held_when_it_ended() {
    let file = OnFile::new();
    let other = file.another();
    for id in ["a", "b"] {
        file.queue.send(&message(id, "lane-1")).await.expect("taken");
    }
    let held = receive(&other).await;
    assert!(receive(&file.queue).await.is_empty(), "the other lives");
    let waiting = tokio::spawn({
        let queue = file.queue.clone();
        async move { next(&queue).await }
    });
    tokio::task::yield_now().await;
    drop(other);
    let freed = waiting.await.expect("no panic");
    assert_eq!((freed.message.message_id.as_str(), freed.delivery_count), ("a", 2), "in its order, and counted");
    assert!(!file.queue.complete(&held[0]).await.expect("an answer"), "whoever is gone has no say any more");
    assert!(file.queue.complete(&freed).await.expect("completed"));
    assert_eq!(next(&file.queue).await.message.message_id, "b");
}

#[tokio::test]
async fn what_the_living_hold_stays_with_them() {
    let file = OnFile::new();
    file.queue.send(&message("a", "lane-1")).await.expect("taken");
    let (other, witness) = (file.another(), file.another());
    let clone = other.clone();
    let held = receive(&clone).await;
    // One of its clones, and somebody else who ended with nothing in their hands.
    drop(clone);
    drop(witness);
    let mut changes = file.queue.changes().await.expect("watching");
    let until = Instant::now() + Duration::from_millis(2_500);
    while Instant::now() < until {
        assert!(receive(&file.queue).await.is_empty(), "it is held");
        changes.next(Duration::from_millis(100)).await.expect("the end of the wait");
    }
    assert!(other.renew(&held[0], LOCK).await.expect("renewed"));
    assert!(other.complete(&held[0]).await.expect("completed"));
}

#[tokio::test]
async fn dead_letters_and_every_lane_are_given_back() {
    let file = OnFile::new();
    for lane in ["x", "y", "z"] {
        file.queue.send(&message(lane, lane)).await.expect("taken");
    }
    for _ in 0..10 {
        let poison = file.queue.receive(1, LOCK).await.expect("received").remove(0);
        assert!(file.queue.abandon(&poison).await.expect("abandoned"));
    }
    let other = file.another();
    assert_eq!((receive(&other).await.len(), other.receive_dead(10, LOCK).await.expect("received").len()), (2, 1));
    drop(other);
    let another = file.another();
    assert_eq!((receive(&another).await.len(), another.receive_dead(10, LOCK).await.expect("received").len()), (2, 1));
    drop(another);
    let left = std::fs::read_dir(file.folder.path().join("queue.db.holders")).expect("a folder").count();
    receive(&file.another()).await;
    let now = std::fs::read_dir(file.folder.path().join("queue.db.holders")).expect("a folder").count();
    assert!(now <= left, "what is left of those that are gone does not pile up: {left}, then {now}");
}
