//! Real clusters: three masters that share the slots, with or without a replica each.

use super::{Options, RedisServer, wait_for};

/// The first slot of each master, and the one behind the last.
const SHARES: [u16; 4] = [0, 5461, 10923, 16384];

/// Milliseconds after which a silent node is dead: where nobody dies, later than any stall of the machine; where a replica is to take over,
/// soon.
const NOBODY_DIES: u32 = 60_000;
const REPLICAS_TAKE_OVER: u32 = 5_000;

/// The nodes of a cluster: the three that began as masters, then their replicas in the same order.
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts three masters, gives each a third of the slots, and waits until all of them agree.
    pub fn start() -> Self {
        Self::of(3, NOBODY_DIES)
    }

    /// The same with a replica for each master, which are in step when this returns.
    pub fn with_replicas() -> Self {
        let cluster = Self::of(6, REPLICAS_TAKE_OVER);
        let logs = || cluster.nodes.iter().map(RedisServer::log).collect();
        for (master, replica) in cluster.nodes.iter().zip(&cluster.nodes[3..]) {
            let id = master.wire().command(&["CLUSTER", "MYID"]).text();
            wait_for("a replica has its master", logs, || replica.wire().command(&["CLUSTER", "REPLICATE", &id]) == super::Reply::Simple("OK".into()));
        }
        wait_for("the replicas are in step", logs, || {
            let in_step = |node: &RedisServer| node.wire().command(&["INFO", "replication"]).text().contains("master_link_status:up");
            let known = |node: &RedisServer| node.wire().command(&["CLUSTER", "NODES"]).text().matches("slave").count() == 3;
            cluster.nodes[3..].iter().all(in_step) && cluster.nodes.iter().all(known)
        });
        cluster
    }

    fn of(count: usize, patience: u32) -> Self {
        let nodes: Vec<_> = (0..count).map(|_| RedisServer::start(Options { cluster: Some(patience), ..Options::default() })).collect();
        for (node, share) in nodes.iter().zip(SHARES.windows(2)) {
            node.wire().command(&["CLUSTER", "ADDSLOTSRANGE", &share[0].to_string(), &(share[1] - 1).to_string()]).expect_ok();
        }
        for (number, node) in nodes.iter().enumerate() {
            // Each has its own number, so that two do not stand for election at once.
            node.wire().command(&["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).expect_ok();
        }
        for node in &nodes {
            for other in &nodes {
                node.wire().command(&["CLUSTER", "MEET", "127.0.0.1", &other.port.to_string(), &other.bus_port.to_string()]).expect_ok();
            }
        }
        let log = || nodes.iter().map(RedisServer::log).collect();
        wait_for("the cluster agrees", log, || {
            nodes.iter().all(|node| {
                let info = node.wire().command(&["CLUSTER", "INFO"]).text();
                info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384") && info.contains(&format!("cluster_known_nodes:{count}"))
            })
        });
        Self { nodes }
    }

    /// The nodes.
    pub fn nodes(&self) -> &[RedisServer] {
        &self.nodes
    }

    /// The settings that lead to this cluster by its first node.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = self.nodes[0].settings();
        settings.push(("REDIS_CLUSTER", "true".to_owned()));
        settings
    }

    /// The slot of a call's keys, and the number of the master that began with it.
    pub fn slot(&self, call: &str) -> (u16, usize) {
        let slot = self.nodes[0].wire().command(&["CLUSTER", "KEYSLOT", call]).number().expect("a slot");
        let slot = u16::try_from(slot).expect("a slot");
        (slot, SHARES.iter().rposition(|first| *first <= slot).expect("a share"))
    }

    /// Whether this node is a master now.
    pub fn is_master(&self, node: usize) -> bool {
        self.nodes[node].wire().command(&["INFO", "replication"]).text().contains("role:master")
    }

    /// Waits until a master's replica has all that the master has: what it has not would be forgotten with the master.
    pub fn in_step(&self, master: usize) {
        let offset = |node: usize, field: &str| -> u64 {
            let info = self.nodes[node].wire().command(&["INFO", "replication"]).text();
            info.lines().find_map(|line| line.strip_prefix(field)).and_then(|offset| offset.trim().parse().ok()).expect("an offset")
        };
        let logs = || self.nodes.iter().map(RedisServer::log).collect();
        let until = offset(master, "master_repl_offset:");
        wait_for("the replica is in step", logs, || offset(master + 3, "slave_repl_offset:") >= until);
    }

    /// Begins to move a slot from one master to another.
    pub fn begin_move(&self, slot: u16, from: usize, to: usize) {
        let id = |node: usize| self.nodes[node].wire().command(&["CLUSTER", "MYID"]).text();
        self.nodes[to].wire().command(&["CLUSTER", "SETSLOT", &slot.to_string(), "IMPORTING", &id(from)]).expect_ok();
        self.nodes[from].wire().command(&["CLUSTER", "SETSLOT", &slot.to_string(), "MIGRATING", &id(to)]).expect_ok();
    }

    /// Moves at most this many keys of a slot; how many there were.
    pub fn move_keys(&self, slot: u16, from: usize, to: usize, most: usize) -> usize {
        let mut wire = self.nodes[from].wire();
        let keys: Vec<String> =
            wire.command(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), &most.to_string()]).array().into_iter().map(super::Reply::text).collect();
        for key in &keys {
            wire.command(&["MIGRATE", "127.0.0.1", &self.nodes[to].port.to_string(), key, "0", "5000"]).expect_ok();
        }
        keys.len()
    }

    /// Ends the move: the slot is the other one's.
    pub fn end_move(&self, slot: u16, to: usize) {
        let id = self.nodes[to].wire().command(&["CLUSTER", "MYID"]).text();
        // The new owner first, so that there is always one.
        for node in std::iter::once(to).chain((0..3).filter(|node| *node != to)) {
            self.nodes[node].wire().command(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &id]).expect_ok();
        }
    }
}
