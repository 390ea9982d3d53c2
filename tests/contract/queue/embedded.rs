//! What only the embedded queue promises: delivery, locks, lanes, schedules and dead letters.

use std::collections::HashSet;
use std::time::Duration;

use rtvoice::ports::clock::SystemClock;
use rtvoice::ports::queue::Queue as _;
use rtvoice::ports::queue::embedded::{Delivery, EmbeddedQueue, MAX_DELIVERIES};

use super::{Message, OnFile, START, message, open};

const LOCK: Duration = Duration::from_secs(60);

async fn send(queue: &EmbeddedQueue, id: &str, lane: &str) {
    queue.send(&message(id, lane)).await.expect("taken");
}

async fn receive(queue: &EmbeddedQueue, max: usize) -> Vec<Delivery> {
    queue.receive(max, LOCK).await.expect("received")
}

async fn one(queue: &EmbeddedQueue) -> Delivery {
    let mut deliveries = receive(queue, 10).await;
    assert_eq!(deliveries.len(), 1, "{deliveries:?}");
    deliveries.remove(0)
}

fn ids(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|d| d.message.message_id.as_str()).collect()
}

#[tokio::test]
async fn a_message_arrives_as_it_was_sent() {
    let file = OnFile::new();
    send(&file.queue, "a", "lane-1").await;
    let delivery = one(&file.queue).await;
    assert_eq!(delivery.message, message("a", "lane-1"));
    assert_eq!((delivery.delivery_count, delivery.enqueued_at, delivery.locked_until), (1, START, START.plus_millis(60_000)));
    assert_eq!((delivery.dead_letter_reason.as_deref(), delivery.dead_letter_description.as_deref()), (None, None));
    assert!(file.queue.complete(&delivery).await.expect("completed"));
    assert_eq!(file.queue.stats().await.expect("stats").pending(), 0);
}

#[tokio::test]
async fn each_lane_gives_one_message_at_a_time_in_order_and_lanes_run_side_by_side() {
    let file = OnFile::new();
    for id in ["x1", "y1", "x2", "z1", "y2"] {
        send(&file.queue, id, &id[..1]).await;
    }
    let first = receive(&file.queue, 10).await;
    assert_eq!(ids(&first), ["x1", "y1", "z1"]);
    assert!(first.is_sorted_by_key(|d| d.sequence_number));
    assert!(receive(&file.queue, 10).await.is_empty(), "every lane is locked");
    file.queue.complete(&first[1]).await.expect("completed");
    let second = receive(&file.queue, 10).await;
    assert_eq!(ids(&second), ["y2"], "only the freed lane goes on");
    let stats = file.queue.stats().await.expect("stats");
    assert_eq!((stats.active, stats.locked, stats.scheduled, stats.dead, stats.oldest), (1, 3, 0, 0, Some(START)));
}

#[tokio::test]
async fn at_most_max_messages_come_the_oldest_first() {
    let file = OnFile::new();
    for lane in ["c", "b", "a"] {
        send(&file.queue, lane, lane).await;
    }
    assert!(receive(&file.queue, 0).await.is_empty());
    assert_eq!(ids(&receive(&file.queue, 2).await), ["c", "b"]);
    assert_eq!(ids(&receive(&file.queue, 2).await), ["a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_deliverers_on_many_lanes_keep_every_lane_in_order_and_deliver_once() {
    const LANES: usize = 6;
    const EACH: usize = 20;
    let file = OnFile::new();
    for n in 0..LANES * EACH {
        send(&file.queue, &format!("{n:03}"), &format!("lane-{}", n % LANES)).await;
    }
    let done = std::sync::Arc::new(std::sync::Mutex::new(Vec::<(String, String)>::new()));
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let queue = if worker % 2 == 0 { file.queue.clone() } else { file.another() };
            let done = std::sync::Arc::clone(&done);
            tokio::spawn(async move {
                loop {
                    let deliveries = receive(&queue, 2).await;
                    if deliveries.is_empty() && queue.stats().await.expect("stats").pending() == 0 {
                        return;
                    }
                    for delivery in deliveries {
                        tokio::task::yield_now().await;
                        let Message { session_id, message_id, .. } = delivery.message.clone();
                        done.lock().expect("lock").push((session_id, message_id));
                        assert!(queue.complete(&delivery).await.expect("completed"));
                    }
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.expect("a worker");
    }
    let done = done.lock().expect("lock");
    assert_eq!(done.iter().map(|(_, id)| id).collect::<HashSet<_>>().len(), LANES * EACH);
    assert_eq!(done.len(), LANES * EACH);
    for lane in 0..LANES {
        let lane = format!("lane-{lane}");
        assert!(done.iter().filter(|(l, _)| *l == lane).map(|(_, id)| id).is_sorted(), "{lane} is out of order");
    }
}

#[tokio::test]
async fn a_lock_that_ran_out_is_lost_and_the_message_comes_again_with_its_count_raised() {
    let file = OnFile::new();
    send(&file.queue, "a", "lane-1").await;
    let first = one(&file.queue).await;
    file.clock.advance_millis(59_999);
    assert!(receive(&file.queue, 10).await.is_empty(), "the lock holds to its end");
    file.clock.advance_millis(1);
    // Judged on write as well: nobody has taken the message yet, the lock is lost all the same.
    assert!(!file.queue.complete(&first).await.expect("an answer"));
    assert!(!file.queue.renew(&first, LOCK).await.expect("an answer"));
    let second = one(&file.queue).await;
    assert_eq!((second.delivery_count, second.message == first.message), (2, true));
    for lost in [file.queue.complete(&first).await, file.queue.abandon(&first).await, file.queue.renew(&first, LOCK).await] {
        assert!(!lost.expect("an answer"), "the first owner has no say any more");
    }
    assert!(file.queue.complete(&second).await.expect("completed"));
    assert!(!file.queue.complete(&second).await.expect("an answer"), "it is gone");
}

#[tokio::test]
async fn a_renewed_lock_holds_from_now() {
    let file = OnFile::new();
    send(&file.queue, "a", "lane-1").await;
    let delivery = one(&file.queue).await;
    file.clock.advance_millis(50_000);
    assert!(file.queue.renew(&delivery, LOCK).await.expect("renewed"));
    file.clock.advance_millis(59_999);
    assert!(receive(&file.queue, 10).await.is_empty());
    assert!(file.queue.complete(&delivery).await.expect("completed"));
}

#[tokio::test]
async fn the_tenth_abandoned_delivery_ends_in_the_dead_letters_and_the_lane_goes_on() {
    let file = OnFile::new();
    send(&file.queue, "poison", "lane-1").await;
    send(&file.queue, "next", "lane-1").await;
    for count in 1..=MAX_DELIVERIES {
        let delivery = one(&file.queue).await;
        assert_eq!((ids(std::slice::from_ref(&delivery))[0], delivery.delivery_count), ("poison", count));
        assert!(file.queue.abandon(&delivery).await.expect("abandoned"));
    }
    assert_eq!(file.queue.stats().await.expect("stats").dead, 1);
    assert_eq!(one(&file.queue).await.message.message_id, "next");
}

#[tokio::test]
async fn ten_locks_that_ran_out_end_in_the_dead_letters_at_the_next_receive() {
    let file = OnFile::new();
    send(&file.queue, "poison", "lane-1").await;
    send(&file.queue, "next", "lane-1").await;
    for _ in 0..MAX_DELIVERIES {
        assert_eq!(one(&file.queue).await.message.message_id, "poison");
        file.clock.advance_millis(60_000);
    }
    assert_eq!(one(&file.queue).await.message.message_id, "next", "the lane goes on in the same receive");
    let dead = file.queue.peek_dead(10).await.expect("dead letters");
    assert_eq!(ids(&dead), ["poison"]);
    assert_eq!((dead[0].dead_letter_reason.as_deref(), dead[0].delivery_count), (Some("MaxDeliveryCountExceeded"), 10));
    assert!(dead[0].dead_letter_description.as_deref().is_some_and(|d| d.contains("10 delivery attempts")));
}

#[tokio::test]
async fn dead_letters_have_no_lanes_come_again_when_abandoned_and_end_when_completed() {
    let file = OnFile::new();
    for id in ["a", "b"] {
        send(&file.queue, id, "lane-1").await;
        for _ in 0..MAX_DELIVERIES {
            let delivery = one(&file.queue).await;
            file.queue.abandon(&delivery).await.expect("abandoned");
        }
    }
    assert!(receive(&file.queue, 10).await.is_empty(), "dead letters do not come back by themselves");
    let peeked = file.queue.peek_dead(10).await.expect("dead letters");
    assert!(!file.queue.complete(&peeked[0]).await.expect("an answer"), "peeking locks nothing");
    for round in 1..=2 * MAX_DELIVERIES {
        let dead = file.queue.receive_dead(10, LOCK).await.expect("dead letters");
        assert_eq!(ids(&dead), ["a", "b"]);
        assert_eq!((dead[0].delivery_count, dead[0].dead_letter_reason.as_deref()), (MAX_DELIVERIES + round, Some("MaxDeliveryCountExceeded")));
        assert!(file.queue.receive_dead(10, LOCK).await.expect("dead letters").is_empty(), "they are locked");
        for letter in &dead {
            assert!(file.queue.abandon(letter).await.expect("abandoned"));
        }
    }
    let dead = file.queue.receive_dead(1, LOCK).await.expect("dead letters");
    file.clock.advance_millis(60_000);
    assert!(!file.queue.complete(&dead[0]).await.expect("an answer"), "locks of dead letters run out too");
    for letter in file.queue.receive_dead(10, LOCK).await.expect("dead letters") {
        assert!(file.queue.renew(&letter, LOCK).await.expect("renewed"));
        assert!(file.queue.complete(&letter).await.expect("completed"));
    }
    assert_eq!(file.queue.stats().await.expect("stats").dead, 0);
}

#[tokio::test]
async fn a_scheduled_message_waits_for_its_time_and_does_not_hold_up_its_lane() {
    let file = OnFile::new();
    let later = Message { not_before: Some(START.plus_millis(120_000)), ..message("later", "lane-1") };
    file.queue.send(&later).await.expect("taken");
    send(&file.queue, "now", "lane-1").await;
    assert_eq!(file.queue.stats().await.expect("stats").scheduled, 1);
    let now = one(&file.queue).await;
    assert_eq!(now.message.message_id, "now");
    file.queue.complete(&now).await.expect("completed");
    file.clock.advance_millis(119_999);
    assert!(receive(&file.queue, 10).await.is_empty(), "not before its time");
    file.clock.advance_millis(1);
    let delivery = one(&file.queue).await;
    assert_eq!((&delivery.message, delivery.enqueued_at), (&later, START.plus_millis(120_000)));
}

#[tokio::test]
async fn an_id_is_remembered_for_ten_minutes_also_when_its_message_is_done() {
    let file = OnFile::new();
    send(&file.queue, "a", "lane-1").await;
    let delivery = one(&file.queue).await;
    file.queue.complete(&delivery).await.expect("completed");
    file.clock.advance_millis(599_999);
    send(&file.queue, "a", "lane-1").await;
    assert!(receive(&file.queue, 10).await.is_empty(), "a duplicate within ten minutes");
    file.clock.advance_millis(1);
    send(&file.queue, "a", "lane-1").await;
    assert_eq!(one(&file.queue).await.delivery_count, 1, "a new message after them");
}

#[tokio::test]
async fn two_handles_on_one_file_are_one_queue() {
    let file = OnFile::new();
    let other = file.another();
    send(&file.queue, "a", "lane-1").await;
    other.send(&message("a", "lane-1")).await.expect("a duplicate");
    let delivery = one(&other).await;
    assert!(receive(&file.queue, 10).await.is_empty(), "locked by the other");
    assert!(file.queue.complete(&delivery).await.expect("completed"), "the token proves the lock, not the handle");
    assert_eq!(other.stats().await.expect("stats").pending(), 0);
}

#[tokio::test]
async fn the_queue_outlives_its_handle() {
    let file = OnFile::new();
    send(&file.queue, "a", "lane-1").await;
    one(&file.queue).await;
    let OnFile { folder, clock, queue } = file;
    drop(queue);
    let queue = open(&folder, clock);
    assert_eq!(one(&queue).await.delivery_count, 2, "the dead owner's lock is given back");
}

/// Long enough never to be the reason of a wake-up in a test.
const NEVER: Duration = Duration::from_secs(600);

async fn wakes(what: &str, changes: &mut rtvoice::ports::queue::embedded::Changes) {
    tokio::time::timeout(Duration::from_secs(20), changes.next(NEVER)).await.unwrap_or_else(|_| panic!("{what} wakes nobody")).expect("a wake-up");
}

#[tokio::test]
async fn a_deliverer_is_woken_by_everything_that_makes_a_message_deliverable() {
    let file = OnFile::new();
    let other = file.another();
    let mut changes = file.queue.changes().await.expect("watching");
    send(&file.queue.clone(), "a", "lane-1").await;
    wakes("a message through a clone", &mut changes).await;
    let delivery = one(&file.queue).await;
    file.queue.abandon(&delivery).await.expect("abandoned");
    wakes("an abandoned message", &mut changes).await;

    let mut changes = file.queue.changes().await.expect("watching");
    send(&other, "b", "lane-2").await;
    wakes("a message from another process", &mut changes).await;

    receive(&file.queue, 10).await;
    let mut changes = file.queue.changes().await.expect("watching");
    file.clock.advance_millis(60_000);
    wakes("the end of a lock", &mut changes).await;

    let later = Message { not_before: Some(START.plus_millis(90_000)), ..message("later", "lane-3") };
    file.queue.send(&later).await.expect("taken");
    let mut changes = file.queue.changes().await.expect("watching");
    file.clock.advance_millis(30_000);
    wakes("a scheduled message's time", &mut changes).await;
}

#[tokio::test]
async fn an_idle_deliverer_sleeps_for_as_long_as_it_asked() {
    let file = OnFile::new();
    let mut changes = file.queue.changes().await.expect("watching");
    let started = tokio::time::Instant::now();
    changes.next(Duration::from_millis(180)).await.expect("the end of the wait");
    assert!(started.elapsed() >= Duration::from_millis(180), "woken for nothing after {:?}", started.elapsed());
}

#[tokio::test]
async fn one_lane_carries_many_messages_in_their_order() {
    const COUNT: u32 = 300;
    let folder = tempfile::tempdir().expect("a folder");
    let queue = open(&folder, std::sync::Arc::new(SystemClock));
    let started = tokio::time::Instant::now();
    for n in 0..COUNT {
        send(&queue, &n.to_string(), "lane-1").await;
    }
    for n in 0..COUNT {
        let delivery = one(&queue).await;
        assert_eq!(delivery.message.message_id, n.to_string());
        assert!(queue.complete(&delivery).await.expect("completed"));
    }
    assert_eq!(queue.stats().await.expect("counted").pending(), 0);
    // How fast it must be stands in a benchmark: the machine may have much else to do.
    println!("one lane: {:.0} messages a second, each sent, received and completed alone", f64::from(COUNT) / started.elapsed().as_secs_f64());
}
