//! The settings of alerts: where they are told, and how fast time runs for them.

use super::read::{Lookup, SettingError, endpoint, text, wrong};
use super::{AlertConfig, Secret, WebhookForm};

/// Where PagerDuty takes events.
const PAGER_DUTY: &str = "https://events.pagerduty.com/v2/enqueue";

pub(super) fn alerts(lookup: Lookup<'_>, guarded: bool) -> Result<AlertConfig, SettingError> {
    let webhook_form = match text(lookup, "ALERT_WEBHOOK_FORM").as_deref() {
        None | Some("generic") => WebhookForm::Generic,
        Some("pagerduty") => WebhookForm::PagerDuty,
        Some("teams") => WebhookForm::Teams,
        Some("slack") => WebhookForm::Slack,
        Some(_) => return Err(wrong("ALERT_WEBHOOK_FORM", "must be generic, pagerduty, teams or slack", "pagerduty")),
    };
    let webhook_secret = text(lookup, "ALERT_WEBHOOK_SECRET").map(Secret::new);
    let mut webhook_url = webhook(lookup, "ALERT_WEBHOOK_URL")?;
    if webhook_form == WebhookForm::PagerDuty {
        if webhook_secret.is_none() {
            return Err(wrong("ALERT_WEBHOOK_SECRET", "must be the routing key where ALERT_WEBHOOK_FORM is pagerduty", "<routing key>"));
        }
        webhook_url.get_or_insert_with(|| PAGER_DUTY.to_owned());
    }
    if webhook_secret.is_some() && webhook_url.is_none() {
        return Err(wrong("ALERT_WEBHOOK_URL", "must be set when ALERT_WEBHOOK_SECRET is", "https://contoso.example/hooks/alerts"));
    }
    let scale_out_url = webhook(lookup, "SCALE_OUT_WEBHOOK_URL")?.map(Secret::new);
    Ok(AlertConfig {
        webhook_url: webhook_url.map(Secret::new),
        webhook_form,
        webhook_secret,
        mail: super::mail::mail(lookup)?,
        scale_out_url,
        pace: pace(lookup, guarded)?,
    })
}

/// A webhook may carry its secret in its query.
fn webhook(lookup: Lookup<'_>, name: &'static str) -> Result<Option<String>, SettingError> {
    let Some(value) = text(lookup, name) else { return Ok(None) };
    let (address, query) = value.split_once('?').map_or((value.as_str(), None), |(address, query)| (address, Some(query)));
    let bare = |asked: &str| (asked == name).then(|| address.to_owned());
    let address = endpoint(&bare, name, "https://contoso.example/hooks/alerts")?;
    Ok(address.map(|address| query.map_or_else(|| address.clone(), |query| format!("{address}?{query}"))))
}

fn pace(lookup: Lookup<'_>, guarded: bool) -> Result<f64, SettingError> {
    let Some(value) = text(lookup, "ALERTS_PACE") else { return Ok(1.0) };
    if guarded {
        return Err(wrong("ALERTS_PACE", "must be unset in prod, in staging and in Azure", ""));
    }
    let pace = value.parse::<f64>().ok().filter(|pace| (1.0..=600.0).contains(pace));
    pace.ok_or_else(|| wrong("ALERTS_PACE", "must be a number from 1 to 600", "60"))
}
