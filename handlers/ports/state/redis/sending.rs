//! The ways to send commands: one pipeline on one slot, one script, or commands on many slots at once.

use futures::future::try_join_all;
use redis::{Cmd, Pipeline, Value};

use super::AsyncAzureRedisManager;
use super::auditing::{Invocation, Operation};
use crate::error::Result;
use crate::telemetry::label::RedisOp;

impl AsyncAzureRedisManager {
    /// Runs a pipeline on the keys of one slot.
    pub(super) async fn pipeline(&self, pipeline: &Pipeline) -> Result<Vec<Value>> {
        let work = self.link.idempotent(RedisOp::Pipeline, |mut connection| async move { pipeline.query_async(&mut connection).await });
        self.audited(|| Operation::of(pipeline.cmd_iter()), work).await
    }

    /// Runs a script that decides by ids, so that sending it twice is harmless.
    pub(super) async fn script(&self, invocation: &Invocation<'_>) -> Result<Value> {
        let work = self.link.idempotent(RedisOp::Script, |connection| invocation.send(connection));
        self.audited(|| Operation::script(invocation), work).await
    }

    /// Runs independent pipelines at once, as one operation of the circuit breaker: while it tries whether the server is
    /// back it admits one alone, and would refuse the others.
    pub(super) async fn together(&self, pipelines: &[Pipeline]) -> Result<Vec<Vec<Value>>> {
        let one = |pipeline: &Pipeline, mut connection: super::link::Connection| {
            let pipeline = pipeline.clone();
            async move { pipeline.query_async(&mut connection).await }
        };
        let work = self.link.idempotent(RedisOp::Many, |connection| try_join_all(pipelines.iter().map(move |p| one(p, connection.clone()))));
        self.audited(|| Operation::pipelines(pipelines), work).await
    }

    /// Sends commands on keys of any slots at once: in a cluster each on its own, otherwise as one pipeline.
    pub(super) async fn scattered(&self, commands: Vec<Cmd>) -> Result<Vec<Value>> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let each = if self.keys.is_clustered() { 1 } else { commands.len() };
        let pipelines: Vec<Pipeline> = commands.chunks(each).map(piped).collect();
        Ok(self.together(&pipelines).await?.concat())
    }
}

fn piped(commands: &[Cmd]) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(commands.len());
    for command in commands {
        pipeline.add_command(command.clone());
    }
    pipeline
}
