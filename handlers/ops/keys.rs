//! `rtvoice keys`: rotates the keys of each level while calls go on, counts them, and seals anew what older ones sealed.
//!
//! Every command may be stopped anywhere and run again: it does what is left. It prints tokens, versions and counts alone.

use clap::Subcommand;
use comfy_table::presets::UTF8_BORDERS_ONLY;
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::model::ids::UserToken;
use crate::privacy::vault::{EpochRotation, KeyStatus, Resealed, RootRotation, Vault};

/// Rotate keys, count them, or seal anew what older ones sealed
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Exit codes: 0 done, 1 failed or something was left: run it again, 2 wrong usage or setting.")]
pub struct KeysArgs {
    /// Print the result as one JSON object
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// What can be done with keys.
#[derive(Debug, Clone, Subcommand)]
pub enum KeysCommand {
    /// Say which keys there are, how old they are and what needs them
    #[command(after_help = "Exit codes: 0 told, 1 failed, 2 wrong usage or setting.")]
    Status,
    /// Make a new version of a key
    #[command(subcommand, after_help = "Exit codes: 0 done, 1 failed or something was left: run it again, 2 wrong usage or setting.")]
    Rotate(Level),
    /// Seal anew what older versions of users' keys sealed, and destroy versions that nothing needs
    #[command(after_help = "Exit codes: 0 nothing is left, or it was counted, 1 failed or something was left: run it again, 2 wrong usage or setting.")]
    Reencrypt {
        /// Count alone
        #[arg(long)]
        dry_run: bool,
    },
}

/// Which key is rotated.
#[derive(Debug, Clone, Subcommand)]
pub enum Level {
    /// The root key: a new version wraps the keys of epochs and tokens
    #[command(after_help = "Exit codes: 0 done, 1 failed: run it again, 2 wrong usage or setting.")]
    Root {
        /// Put the versions out of use that nothing needs any more
        #[arg(long)]
        retire: bool,
        /// Make no new version: the current one was made elsewhere, or by a rotation that was stopped
        #[arg(long)]
        only_rewrap: bool,
    },
    /// The epoch: this week's key wraps all users' keys, and old epochs are destroyed
    #[command(after_help = "Exit codes: 0 done, 1 failed or something was left: run it again, 2 wrong usage or setting.")]
    Epoch,
    /// One user's key: a new version seals from now on
    #[command(after_help = "Exit codes: 0 done, 1 nobody with this token has a key, or it failed, 2 wrong usage or setting.")]
    User {
        /// The user's token
        #[arg(long)]
        user: String,
    },
}

/// What a command prints.
#[derive(Debug, Clone)]
pub struct Report {
    /// Lines, or one JSON object.
    pub text: String,
    /// False where something was left.
    pub complete: bool,
}

/// Runs the command. Errors: `Setting` while privacy is off, `BadInput` for what is no token, else those of the record and
/// the root key.
pub async fn run(vault: &Vault, args: &KeysArgs) -> Result<Report> {
    match &args.command {
        KeysCommand::Status => {
            let status = vault.status().await?;
            report(args.json, &status, true, || of_status(&status))
        }
        KeysCommand::Rotate(Level::Root { retire, only_rewrap }) => {
            let done = if *only_rewrap { vault.rewrap_root_current(*retire).await? } else { vault.rotate_root(*retire).await? };
            report(args.json, &done, true, || of_root(&done))
        }
        KeysCommand::Rotate(Level::Epoch) => {
            let done = vault.rotate_epoch().await?;
            report(args.json, &done, done.lost == 0, || of_epoch(&done))
        }
        KeysCommand::Rotate(Level::User { user }) => {
            let user = UserToken::parse(user.as_str())?;
            let version = vault.rotate_user(&user).await?;
            let done = serde_json::json!({"user": user, "version": version});
            report(args.json, &done, true, || format!("{user}: version {version} seals from now on; `rtvoice keys reencrypt` seals the rest anew"))
        }
        KeysCommand::Reencrypt { dry_run } => {
            let done = vault.reencrypt(*dry_run).await?;
            report(args.json, &done, *dry_run || done.is_complete(), || of_resealed(&done))
        }
    }
}

fn report(json: bool, done: &impl Serialize, complete: bool, text: impl FnOnce() -> String) -> Result<Report> {
    let text = if json { serde_json::to_string(done).map_err(Error::internal)? } else { text() };
    Ok(Report { text, complete })
}

fn of_status(status: &KeyStatus) -> String {
    let mut table = Table::new();
    table.load_preset(UTF8_BORDERS_ONLY).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["key", "made", "days", "wraps user keys", "wrapped by"]);
    for epoch in &status.epochs {
        let key = &epoch.key;
        table.add_row([&format!("epoch {}", key.id), &key.created.to_string(), &key.age_days.to_string(), &epoch.user_keys.to_string(), &key.kid]);
    }
    for key in &status.index {
        table.add_row([&format!("index {}", key.id), &key.created.to_string(), &key.age_days.to_string(), "", &key.kid]);
    }
    let oldest = status.oldest_user_key_days.map_or_else(String::new, |days| format!(", the oldest {days} days old"));
    format!(
        "root key {}: {} keys are wrapped by older versions\n{table}\n{} subjects with {} keys{oldest}",
        status.root, status.under_older_root, status.subjects, status.user_keys
    )
}

fn of_root(done: &RootRotation) -> String {
    let retired = if done.retired.is_empty() { "none".to_owned() } else { done.retired.join(", ") };
    format!("{} wraps from now on; {} keys wrapped anew; put out of use: {retired}", done.kid, done.rewrapped)
}

fn of_epoch(done: &EpochRotation) -> String {
    let list = |ids: &[String]| if ids.is_empty() { "none".to_owned() } else { ids.join(", ") };
    format!(
        "epoch {} wraps all users' keys; {} wrapped anew, {} cannot be unwrapped; destroyed: {}; kept: {}",
        done.epoch,
        done.rewrapped,
        done.lost,
        list(&done.destroyed),
        list(&done.kept)
    )
}

fn of_resealed(done: &Resealed) -> String {
    format!(
        "{} documents, {} sealed values: {} under older keys, {} sealed anew, {} erased, {} refused; {} documents changed meanwhile; {} key versions destroyed",
        done.documents, done.envelopes, done.older, done.resealed, done.erased, done.refused, done.passed_over, done.retired
    )
}
