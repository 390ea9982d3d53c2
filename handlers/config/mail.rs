//! The settings of alerts by mail: which server takes them, how it is spoken with, and who gets them.

use super::read::{Lookup, SettingError, is_loopback, number, text, wrong};
use super::{MailConfig, MailTls, Secret};

const HOST: &str = "smtp.azurecomm.net";
const ADDRESS: &str = "alerts@contoso.example";
/// Addresses that get each mail.
const MOST: usize = 10;
/// Longest address, and longest part before the @ (RFC 5321, 4.5.3.1).
const LONGEST: (usize, usize) = (254, 64);

pub(super) fn mail(lookup: Lookup<'_>) -> Result<Option<MailConfig>, SettingError> {
    let Some(host) = text(lookup, "ALERT_MAIL_HOST") else {
        let others = ["ALERT_MAIL_PORT", "ALERT_MAIL_TLS", "ALERT_MAIL_FROM", "ALERT_MAIL_TO", "ALERT_MAIL_USER", "ALERT_MAIL_PASSWORD"];
        return match others.into_iter().find(|name| text(lookup, name).is_some()) {
            Some(name) => Err(wrong("ALERT_MAIL_HOST", format!("must be set when {name} is"), HOST)),
            None => Ok(None),
        };
    };
    if !is_host(&host) {
        return Err(wrong("ALERT_MAIL_HOST", "must be a host name or address without scheme, port or credentials", HOST));
    }
    let (tls, usual) = match text(lookup, "ALERT_MAIL_TLS").as_deref() {
        None | Some("starttls") => (MailTls::StartTls, 587),
        Some("tls") => (MailTls::Implicit, 465),
        Some("none") if is_loopback(&host) => (MailTls::None, 25),
        Some("none") => return Err(wrong("ALERT_MAIL_TLS", "must be starttls or tls where the mail server is not on this machine", "starttls")),
        Some(_) => return Err(wrong("ALERT_MAIL_TLS", "must be starttls, tls or none", "starttls")),
    };
    let port = number(lookup, "ALERT_MAIL_PORT", usual, 1, u16::MAX, "587")?;
    let from = text(lookup, "ALERT_MAIL_FROM").filter(|from| is_address(from));
    let from = from.ok_or_else(|| wrong("ALERT_MAIL_FROM", "must be a mail address where ALERT_MAIL_HOST is set", ADDRESS))?;
    let login = login(lookup, tls)?;
    Ok(Some(MailConfig { host, port, tls, from, to: recipients(lookup)?, login }))
}

fn recipients(lookup: Lookup<'_>) -> Result<Vec<String>, SettingError> {
    let given = text(lookup, "ALERT_MAIL_TO").unwrap_or_default();
    let to: Vec<String> = given.split(',').map(|one| one.trim().to_owned()).collect();
    if to.len() <= MOST && to.iter().all(|one| is_address(one)) {
        return Ok(to);
    }
    Err(wrong("ALERT_MAIL_TO", format!("must be 1 to {MOST} mail addresses with commas between where ALERT_MAIL_HOST is set"), "oncall@contoso.example"))
}

fn login(lookup: Lookup<'_>, tls: MailTls) -> Result<Option<(String, Secret)>, SettingError> {
    // Neither may end a line or, in AUTH PLAIN, a field.
    let sound = |value: &str| value.len() <= 512 && !value.chars().any(char::is_control);
    match (text(lookup, "ALERT_MAIL_USER"), text(lookup, "ALERT_MAIL_PASSWORD")) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(wrong("ALERT_MAIL_USER", "must be set when ALERT_MAIL_PASSWORD is", "rtvoice")),
        (Some(_), None) => Err(wrong("ALERT_MAIL_PASSWORD", "must be set when ALERT_MAIL_USER is", "<password>")),
        (Some(_), Some(_)) if tls == MailTls::None => Err(wrong("ALERT_MAIL_TLS", "must be starttls or tls when ALERT_MAIL_USER is set", "starttls")),
        (Some(user), Some(_)) if !sound(&user) => Err(wrong("ALERT_MAIL_USER", "must be at most 512 characters without control characters", "rtvoice")),
        (Some(_), Some(password)) if !sound(&password) => {
            Err(wrong("ALERT_MAIL_PASSWORD", "must be at most 512 characters without control characters", "<password>"))
        }
        (Some(user), Some(password)) => Ok(Some((user, Secret::new(password)))),
    }
}

/// An address, or labels of letters, digits and hyphens with dots between.
fn is_host(host: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_ok() || is_domain(host)
}

fn is_domain(domain: &str) -> bool {
    let label = |label: &str| {
        let inner = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        (1..=63).contains(&label.len()) && inner && !label.starts_with('-') && !label.ends_with('-')
    };
    domain.len() <= 253 && domain.split('.').all(label)
}

/// `local@domain` with a dot-atom before the @ (RFC 5322, 3.4.1): nothing that could end a command or a header.
fn is_address(address: &str) -> bool {
    let atom = |atom: &str| !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b));
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    address.len() <= LONGEST.0 && local.len() <= LONGEST.1 && local.split('.').all(atom) && is_domain(domain)
}
