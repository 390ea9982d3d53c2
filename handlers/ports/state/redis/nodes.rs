//! The nodes of a cluster, one by one: for walks over all keys, which no slot can answer.

use redis::cluster_routing::{RoutingInfo, SingleNodeRoutingInfo};
use redis::{Cmd, Value, cmd};

use super::auditing::Operation;
use super::link::Connection;
use super::{AsyncAzureRedisManager, read};
use crate::error::{Error, Result};
use crate::telemetry::label::RedisOp;

/// The name of the only node where there is no cluster.
const ONLY: &str = "only";

impl AsyncAzureRedisManager {
    /// The masters as `host:port`, each once; without a cluster one that stands for the server.
    pub(super) async fn masters(&self) -> Result<Vec<String>> {
        if !self.keys.is_clustered() {
            return Ok(vec![ONLY.to_owned()]);
        }
        let mut command = cmd("CLUSTER");
        command.arg("SLOTS");
        // Each range of slots: first, last, master (host, port, …), replicas.
        let ranges: Vec<Vec<Value>> = read(self.on_node(ONLY, &command).await?)?;
        let mut masters = Vec::with_capacity(ranges.len());
        for master in ranges.into_iter().filter_map(|range| range.into_iter().nth(2)) {
            let mut parts = read::<Vec<Value>>(master)?.into_iter();
            let (Some(host), Some(port)) = (parts.next(), parts.next()) else {
                return Err(Error::internal("CLUSTER SLOTS named a node without an address"));
            };
            masters.push(format!("{}:{}", read::<String>(host)?, read::<u16>(port)?));
        }
        masters.sort();
        masters.dedup();
        Ok(masters)
    }

    /// Sends a command that changes nothing to one node.
    pub(super) async fn on_node(&self, node: &str, command: &Cmd) -> Result<Value> {
        let routing = match node.rsplit_once(':') {
            Some((host, port)) => SingleNodeRoutingInfo::ByAddress { host: host.to_owned(), port: port.parse().map_err(Error::internal)? },
            None => SingleNodeRoutingInfo::Random,
        };
        let routing = &routing;
        let work = self.link.idempotent(RedisOp::Node, |connection| async move {
            match connection {
                Connection::Single(mut connection) => command.query_async(&mut connection).await,
                Connection::Cluster(mut connection) => connection.route_command(command.clone(), RoutingInfo::SingleNode(routing.clone())).await,
            }
        });
        self.audited(|| Operation::of(std::iter::once(command)), work).await
    }
}
