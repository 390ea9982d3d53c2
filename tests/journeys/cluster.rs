//! A cluster that changes while calls go on: a master dies, a replica takes over by order, a slot moves.

use crate::harness::redis::{RedisCluster, RedisServer};
use crate::harness::stack::Stack;
use crate::journeys::refusing::Talk;

/// The app on this cluster; the server of the stack itself is not used.
async fn stack(cluster: &RedisCluster) -> Stack {
    Stack::with(RedisServer::single(), cluster.settings()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_master_dies_and_its_replica_takes_over() {
    let cluster = RedisCluster::with_replicas();
    let stack = stack(&cluster).await;
    let mut talk = Talk::begin(&stack).await;
    // Not the node that the settings name: the test looks at the stores by it.
    while cluster.slot(&talk.call.id).1 == 0 {
        talk = Talk::begin(&stack).await;
    }
    let (_, master) = cluster.slot(&talk.call.id);
    cluster.in_step(master);
    cluster.nodes()[master].kill();
    talk.degraded().await;
    talk.until("the replica takes over", || cluster.is_master(master + 3)).await;
    talk.recovers().await;
    for _ in 0..5 {
        assert!(!talk.say().await);
    }
    talk.ends(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_takes_over_by_order() {
    let cluster = RedisCluster::with_replicas();
    let stack = stack(&cluster).await;
    let mut talk = Talk::begin(&stack).await;
    let (_, master) = cluster.slot(&talk.call.id);
    cluster.nodes()[master + 3].wire().command(&["CLUSTER", "FAILOVER"]).expect_ok();
    talk.until("the replica takes over", || cluster.is_master(master + 3)).await;
    talk.recovers().await;
    talk.ends(&stack).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slot_of_a_call_moves_while_it_goes_on() {
    let cluster = RedisCluster::start();
    let stack = stack(&cluster).await;
    let mut talk = Talk::begin(&stack).await;
    let (slot, from) = cluster.slot(&talk.call.id);
    let to = (from + 1) % 3;
    cluster.begin_move(slot, from, to);
    talk.say().await;
    // Some of the call's keys are here, some there.
    assert_eq!(cluster.move_keys(slot, from, to, 2), 2);
    talk.say().await;
    talk.say().await;
    while cluster.move_keys(slot, from, to, 100) > 0 {
        talk.say().await;
    }
    talk.say().await;
    cluster.end_move(slot, to);
    talk.recovers().await;
    for _ in 0..5 {
        assert!(!talk.say().await);
    }
    assert_eq!(cluster.move_keys(slot, from, to, 1), 0, "nothing of it is left behind");
    talk.ends(&stack).await;
}
