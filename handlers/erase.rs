//! `rtvoice erase-user`: erases a person, looks behind all fences, or sets and lifts a legal hold.

use std::process::ExitCode;

use clap::Args;
use rtvoice::app::App;
use rtvoice::error::{Error, Result};
use rtvoice::model::ids::{UserId, UserToken};
use rtvoice::steps::erasure;
use serde_json::{Value, json};

/// Erase a person everywhere, on the stores that the settings name.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 erased (or held, released, looked), 1 refused by a legal hold or failed, 2 wrong usage or setting.")]
pub(crate) struct Arguments {
    /// The person's token, as POST /api/users/lookup gives it
    #[arg(long, value_name = "TOKEN", conflicts_with = "id")]
    user: Option<String>,
    /// The person's user id, or tel- and the digits of a number
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// Set a legal hold for this reason (which must name nobody): the person is not erased while it stands
    #[arg(long, value_name = "REASON", conflicts_with = "release")]
    hold: Option<String>,
    /// Lift the legal hold
    #[arg(long)]
    release: bool,
    /// Go on with all open erasures and look behind every fence, as after a restore
    #[arg(long, conflicts_with_all = ["user", "id", "hold", "release"])]
    sweep: bool,
    /// Print the JSON in one line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    if !arguments.sweep && arguments.user.is_none() && arguments.id.is_none() {
        return super::wrong_setting("erase-user needs --user TOKEN or --id ID, for example --user u1-0123456789abcdef0123456789abcdef");
    }
    let config = match super::store_settings() {
        Ok(config) => config,
        Err(code) => return code,
    };
    super::command(
        config,
        "error",
        async |app| erase(&app, arguments).await,
        |done| super::out::say(&if arguments.json { done.to_string() } else { format!("{done:#}") }, ExitCode::SUCCESS),
    )
}

async fn erase(app: &App, arguments: &Arguments) -> Result<Value> {
    if arguments.sweep {
        let finished = erasure::round(app).await?;
        super::tell(app).await;
        return Ok(json!({ "finished": finished }));
    }
    let user = match (&arguments.user, &arguments.id) {
        (Some(token), _) => UserToken::parse(token.as_str())?,
        (None, Some(id)) => app.vault.user_token(&UserId::parse(id.as_str())?).await?,
        (None, None) => return Err(Error::input("user", "must be given")),
    };
    if let Some(reason) = &arguments.hold {
        erasure::hold(app, &user, reason).await?;
        return Ok(json!({ "user": user, "held": true }));
    }
    if arguments.release {
        return Ok(json!({ "user": user, "released": erasure::release(app, &user).await? }));
    }
    Ok(erasure::delete_user_data(app, &user).await?.view())
}
