//! The commands of `rtvoice`. Exit codes: 0 done, 1 no or failed, 2 wrong usage or setting.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use rtvoice::app::App;
use rtvoice::config::Config;
use rtvoice::error::{Error, Kind, Result};
use rtvoice::ops;
use rtvoice::ports::audit::Actor;
use rtvoice::steps::watch;

mod alerts;
mod audit;
mod bench;
mod breach;
mod doctor;
mod erase;
mod keys;
mod load;
mod local;
mod migrate;
mod operate;
mod out;
mod parked;
mod pii;
mod plan;
mod serve;
mod transcript;

/// Turns make many small and short-lived values on several threads, which this allocator serves in half the time of the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Back end of a phone voice agent on Azure Communication Services.
#[derive(Parser)]
#[command(version, about, after_help = "Exit codes: 0 done, 1 no or failed, 2 wrong usage or setting.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run as the custom handler of the Functions host (host.json starts it)
    #[command(after_help = "Binds 127.0.0.1 at FUNCTIONS_CUSTOMHANDLER_PORT, which the host sets; all settings come from the environment.\n\
                            Exit codes: 0 ended by a signal, 1 failed, 2 a setting is missing, wrong or contradictory.")]
    Serve,
    /// Run the local host: functions, timers and the embedded queue, without a cloud
    Dev(local::DevArguments),
    /// Play a whole phone call through the local host, and verify what came of it
    Demo(local::DemoArguments),
    /// Take over calls from the legacy layouts in Redis
    Migrate(ops::migrate::MigrateArgs),
    /// Play many calls against a running handler or host, and verify that none of their turns is lost
    Load(ops::load::LoadArgs),
    /// Measure what things cost
    Bench(bench::Arguments),
    /// What a number of concurrent calls needs, and what it costs
    Plan(ops::plan::PlanArgs),
    /// Show the rules of alerts and how they stand, silence them, or rehearse one
    Alerts(rtvoice::ops::alerts::AlertsArgs),
    /// Verify the audit log
    Audit(audit::Arguments),
    /// Carry a personal data breach through its states
    Breach(breach::Arguments),
    /// Find personal values
    #[command(subcommand, after_help = "Exit codes: 0 done, 1 a line was bad, something was found or it failed, 2 wrong usage or setting.")]
    Pii(pii::PiiCommand),
    /// Erase a person everywhere, or hold and release their data
    EraseUser(erase::Arguments),
    /// Rotate keys, count them, or seal anew what older ones sealed
    Keys(ops::keys::KeysArgs),
    /// Print a parked message or event
    Parked(ops::parked::ParkedArgs),
    /// Print an archived call
    Transcript(transcript::Arguments),
    /// Find what is wrong, and how to mend it
    Doctor(ops::doctor::DoctorArgs),
    /// Whether the app serves
    Health(ops::health::HealthArgs),
    /// The settings as they take effect, and where each came from
    Config(ops::config::ConfigArgs),
    /// List open calls, or show one
    Calls(ops::calls::CallsArgs),
    /// List, read, deliver again or drop what was parked
    Dlq(ops::dlq::DlqArgs),
    /// List what the queue has not confirmed, or send it now
    Outbox(ops::outbox::OutboxArgs),
    /// Find keys that would stay for ever
    Ttl(ops::ttl::TtlArgs),
    /// What the state store holds
    Redis(ops::redis::RedisArgs),
    /// Warm, count or empty the cache of spoken phrases
    Tts(ops::tts::TtsArgs),
    /// List sample events, or send one to a handler or host
    Events(ops::events::EventsArgs),
    /// Send recorded requests to a handler or host again
    Replay(ops::replay::ReplayArgs),
    /// Print the completions of a shell
    #[command(after_help = "For example: rtvoice completions bash > /etc/bash_completion.d/rtvoice\nExit codes: 0 printed, 2 wrong usage.")]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// Where log lines go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogTarget {
    /// Where the Functions host reads them as information.
    Stdout,
    /// Beside the output of a command.
    Stderr,
}

fn main() -> ExitCode {
    // Whether it stands before or behind the command, and also where the line is wrong.
    if std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json") {
        out::for_programs();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return wrong_line(&e),
    };
    match cli.command {
        Command::Serve => serve::run(),
        Command::Dev(arguments) => local::dev(&arguments),
        Command::Demo(arguments) => local::demo(&arguments),
        Command::Migrate(arguments) => migrate::run(&arguments),
        Command::Load(arguments) => load::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Parked(arguments) => parked::run(&arguments),
        Command::Alerts(arguments) => alerts::run(arguments),
        Command::Audit(arguments) => audit::run(&arguments),
        Command::Breach(arguments) => breach::run(arguments),
        Command::Pii(command) => pii::run(&command),
        Command::EraseUser(arguments) => erase::run(&arguments),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Transcript(arguments) => transcript::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Health(arguments) => match arguments.target.clone() {
            Some(url) => operate::alone(async { ops::health::ask(&arguments, &url).await }),
            None => operate::looking(async |app| ops::health::look(&app, &arguments).await),
        },
        Command::Config(arguments) => operate::settings(&arguments),
        Command::Dlq(arguments) => operate::run(async |app| ops::dlq::run(&app, &arguments).await),
        Command::Tts(arguments) => operate::run(async |app| ops::tts::run(&app, &arguments).await),
        Command::Events(arguments) => operate::alone(async { ops::events::run(&arguments).await }),
        Command::Replay(arguments) => operate::alone(async { ops::replay::run(&arguments).await }),
        Command::Completions { shell } => operate::completions(shell, Cli::command()),
        Command::Calls(arguments) => operate::run(async |app| ops::calls::run(&app, &arguments).await),
        Command::Outbox(arguments) => operate::run(async |app| ops::outbox::run(&app, &arguments).await),
        Command::Ttl(arguments) => operate::run(async |app| ops::ttl::run(&app, &arguments).await),
        Command::Redis(arguments) => operate::run(async |app| ops::redis::run(&app, &arguments).await),
    }
}

/// What is wrong with the command line, or the help that was asked for.
fn wrong_line(e: &clap::Error) -> ExitCode {
    if !e.use_stderr() {
        e.exit();
    }
    let text = e.to_string();
    let line = text.lines().next().unwrap_or_default();
    out::wrong_line(&text, line.strip_prefix("error: ").unwrap_or(line), ExitCode::from(2))
}

/// One line on standard error, and the exit code of a wrong setting.
pub(crate) fn wrong_setting(line: &str) -> ExitCode {
    out::fail(line, ExitCode::from(2))
}

/// The settings, or the exit code where one is wrong.
pub(crate) fn settings() -> std::result::Result<Config, ExitCode> {
    Config::from_env().map_err(|e| wrong_setting(&e.to_string()))
}

/// The settings of a command that looks at, or acts on, the stores: on a developer's machine with those of `local.settings.json`, which
/// is said.
pub(crate) fn store_settings() -> std::result::Result<Config, ExitCode> {
    let root = rtvoice::config::app_root();
    let chosen = ops::settings::Chosen::from_env(&root).map_err(|e| wrong_setting(&e.detail))?;
    if chosen.is_local() {
        out::warn("rtvoice: with the settings of local.settings.json, as `rtvoice dev`");
    }
    chosen.config(&root).map_err(|e| wrong_setting(&e.detail))
}

/// Shares what a command counted: those who serve judge the alerts, and this process counts for nobody else.
pub(crate) async fn tell(app: &App) {
    if let Err(e) = watch::tell(app).await {
        out::warn(&format!("rtvoice: those who serve could not be told, so that no alert fires: {}", e.chain()));
    }
}

/// Runs one command on the stores that the settings name. It acts as the command line, and what it touched stands in the
/// audit log before anything is told.
pub(crate) fn command<T, W: Future<Output = Result<T>>>(
    config: Config,
    filter: &str,
    work: impl FnOnce(App) -> W,
    done: impl FnOnce(T) -> ExitCode,
) -> ExitCode {
    log_to(filter, LogTarget::Stderr);
    let work = async {
        let app = App::new(config)?;
        app.audit.acting_as(Actor::Cli);
        let result = work(app.clone()).await;
        let closed = app.audit.close().await;
        result.and_then(|outcome| closed.map(|()| outcome))
    };
    match runtime().and_then(|runtime| runtime.block_on(work)) {
        Ok(outcome) => done(outcome),
        Err(e) => failed(&e),
    }
}

/// One line on standard error, and the exit code of a failure: 2 for what was asked for wrongly, else 1.
pub(crate) fn failed(e: &Error) -> ExitCode {
    match (e.kind, &e.field) {
        (Kind::BadInput, Some(field)) => wrong_setting(&format!("{field} {}", e.detail)),
        (Kind::BadInput | Kind::Setting, _) => wrong_setting(&e.detail),
        _ => out::fail(&e.chain(), ExitCode::FAILURE),
    }
}

/// Crates that show document ids and partition keys in their debug lines: a profile's partition is a caller's number.
const TALKATIVE: &str = "azure_data_cosmos=info,azure_data_cosmos_driver=info";

/// Log lines as JSON, one object a line. Crates that would show who called are kept quiet unless the filter names them.
pub(crate) fn log_to(filter: &str, target: LogTarget) {
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    let filter = tracing_subscriber::EnvFilter::try_new(format!("{TALKATIVE},{filter}")).unwrap_or_default();
    let lines = tracing_subscriber::fmt::layer().event_format(rtvoice::host::line::Line);
    // A line that nobody can read any more is no reason to end.
    let lines = lines.log_internal_errors(false);
    let bounded = tracing_subscriber::registry().with(filter).with(rtvoice::telemetry::storm::here().clone());
    // A subscriber that is installed already stays.
    let _ = match target {
        LogTarget::Stdout => bounded.with(lines.with_writer(std::io::stdout)).try_init(),
        LogTarget::Stderr => bounded.with(lines.with_writer(std::io::stderr)).try_init(),
    };
}

/// Threads for work that blocks: files and names of hosts. The embedded file has three connections, and each thread keeps memory of its own.
const BLOCKING: usize = 8;

pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().max_blocking_threads(BLOCKING).enable_all().build().map_err(Error::internal)
}
