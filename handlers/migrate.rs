//! `rtvoice migrate`.

use std::process::ExitCode;

use rtvoice::ops::migrate::{self, MigrateArgs};

pub(crate) fn run(arguments: &MigrateArgs) -> ExitCode {
    let config = match super::store_settings() {
        Ok(config) if config.redis.is_none() => {
            return super::wrong_setting("REDIS_HOST must be set: the legacy layouts are in Redis, for example REDIS_HOST=localhost");
        }
        Ok(config) => config,
        Err(code) => return code,
    };
    super::command(
        config,
        "warn",
        async |app| migrate::run(app.state.as_ref(), app.clock.as_ref(), arguments).await,
        |summary| super::out::say(summary.render(arguments.json).trim_end(), ExitCode::from(summary.exit_code())),
    )
}
