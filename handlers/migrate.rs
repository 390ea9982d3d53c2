//! `rtvoice migrate`.

use std::process::ExitCode;

use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::error::Kind;
use rtvoice::ops::migrate::{self, MigrateArgs};

pub(crate) fn run(arguments: &MigrateArgs) -> ExitCode {
    let config = match Config::from_env() {
        Ok(config) if config.redis.is_none() => {
            return super::wrong_setting("REDIS_HOST must be set: the legacy layouts are in Redis, for example REDIS_HOST=localhost");
        }
        Ok(config) => config,
        Err(e) => return super::wrong_setting(&e.to_string()),
    };
    super::log_to("warn", super::LogTarget::Stderr);
    let work = async {
        let app = App::new(config)?;
        migrate::run(app.state.as_ref(), app.clock.as_ref(), arguments).await
    };
    match super::runtime().and_then(|runtime| runtime.block_on(work)) {
        Ok(summary) => {
            println!("{}", summary.render(arguments.json).trim_end());
            ExitCode::from(summary.exit_code())
        }
        Err(e) if e.kind == Kind::Setting => super::wrong_setting(&e.detail),
        Err(e) => {
            eprintln!("rtvoice: {}", e.chain());
            ExitCode::FAILURE
        }
    }
}
