//! Alerts by mail, against a strict server: how the connection is secured, what a letter says, and what becomes of it when the
//! server says no, hangs or is cut off.

use std::path::Path;

use rtvoice::config::{AlertConfig, Config};
use rtvoice::error::{Error, Kind, Result};
use rtvoice::ports::http;
use rtvoice::ports::notices::mail::Mail;
use rtvoice::ports::notices::{Notice, Notices, Sink, What};

use crate::harness::app::START;
use crate::harness::mail::{MailServer, Options, PASSWORD, Speaks, Trouble, USER};
use crate::harness::process::eventually;

static ONLY_12: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS12];
static ONLY_13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

fn config(settings: &[(&'static str, String)]) -> Config {
    let lookup = |name: &str| settings.iter().rev().find(|(n, _)| *n == name).map(|(_, value)| value.clone());
    Config::from_lookup(lookup, "/tmp/rtvoice-root".into()).unwrap()
}

fn mail(settings: &[(&'static str, String)]) -> Mail {
    let config = config(settings);
    Mail::new(config.alerts.mail.unwrap(), config.ca_file)
}

fn notice(what: What) -> Notice {
    Notice {
        what,
        rule: "redis-slow".to_owned(),
        level: "P1",
        episode: "0af7651916cd43dd".to_owned(),
        value: 7.25,
        threshold: 5.0,
        unit: "ms".to_owned(),
        since: START,
        at: START.plus_millis(60_000),
        meaning: ".Callers wait longer.".to_owned(),
        runbook: "docs/OPERATIONS.md#redis-slow".to_owned(),
        source: "rtvoice/prod".to_owned(),
        scales_out: false,
    }
}

async fn told(server: &MailServer, tls: &'static str) -> Result<()> {
    mail(&server.settings(tls)).tell(&notice(What::Fires)).await
}

/// It failed so, and says nothing that is nobody's business.
#[track_caller]
fn failed(result: Result<()>, kind: Kind, words: &str) -> Error {
    let error = result.expect_err("it was taken");
    let chain = error.chain();
    assert_eq!(error.kind, kind, "{chain}");
    assert!(chain.contains(words), "{words:?} in {chain}");
    for secret in [PASSWORD, USER, "contoso"] {
        assert!(!chain.contains(secret), "{secret} in {chain}");
    }
    error
}

#[tokio::test]
async fn a_letter_says_what_fires_since_when_and_where_to_read_on() {
    let server = MailServer::start(Options::default());
    let mail = mail(&server.settings("starttls"));
    mail.tell(&notice(What::Fires)).await.unwrap();
    mail.tell(&notice(What::Resolved)).await.unwrap();
    let letters = server.letters();
    assert_eq!((letters.len(), server.complaints()), (2, Vec::new()));
    let letter = &letters[0];
    assert_eq!((letter.from.as_str(), letter.secure, letter.user.as_deref()), ("alerts@contoso.example", true, Some(USER)));
    assert_eq!(letter.to, ["oncall@contoso.example", "second@contoso.example"]);
    assert_eq!(letter.header("Subject"), "[P1] redis-slow fires on rtvoice/prod: 7.2 ms (limit 5)");
    assert_eq!(letter.header("From"), "alerts@contoso.example");
    assert_eq!(letter.header("To"), "oncall@contoso.example, second@contoso.example");
    assert_eq!(letter.header("Date"), "Tue, 10 Mar 2026 17:06:00 +0000");
    assert_eq!(letter.header("Message-ID"), "<0af7651916cd43dd-fires@contoso.example>");
    assert_eq!(letter.header("Auto-Submitted"), "auto-generated");
    for line in [
        "redis-slow fires.",
        "Severity: P1",
        "Value:    7.2 ms",
        "Limit:    5 ms",
        "Since:    2026-03-10T17:05:00.000Z",
        ".Callers wait longer.",
        "Runbook: docs/OPERATIONS.md#redis-slow",
    ] {
        assert!(letter.body().lines().any(|has| has == line), "{line} in {}", letter.body());
    }
    assert_eq!(letters[1].header("In-Reply-To"), letter.header("Message-ID"), "the end answers the beginning");
    assert_eq!(letters[1].header("Message-ID"), "<0af7651916cd43dd-resolved@contoso.example>");
    assert!(letters[1].header("Subject").contains("is resolved"));
}

#[tokio::test]
async fn what_is_not_ascii_is_encoded() {
    use base64::Engine as _;
    let server = MailServer::start(Options::default());
    let meaning = "Anrufer müssen länger warten. ".repeat(50);
    let notice = Notice { meaning: meaning.clone(), rule: "redis-langsäm\r\nBcc: all@contoso.example".to_owned(), ..notice(What::Fires) };
    mail(&server.settings("starttls")).tell(&notice).await.unwrap();
    let letter = server.letters().remove(0);
    assert_eq!((letter.header("Content-Transfer-Encoding").as_str(), server.complaints()), ("base64", Vec::new()));
    let text = base64::engine::general_purpose::STANDARD.decode(letter.body().replace('\n', "")).unwrap();
    assert!(String::from_utf8(text).unwrap().contains(&meaning));
    assert!(letter.header("Subject").starts_with("[P1] redis-langs?m??Bcc: all"), "no header of its own: {}", letter.header("Subject"));
}

#[tokio::test]
async fn every_way_to_be_secure_and_to_log_in_is_taken() {
    // As in a process that speaks with Redis: TLS 1.2 is possible all the same.
    rtvoice::ports::state::redis::install_tls13();
    for (speaks, tls, auth, versions) in [
        (Speaks::StartTls, "starttls", Some("LOGIN"), rustls::ALL_VERSIONS),
        (Speaks::StartTls, "starttls", Some("CRAM-MD5 PLAIN"), ONLY_12),
        (Speaks::Implicit, "tls", Some("PLAIN"), ONLY_13),
        (Speaks::Implicit, "tls", Some("LOGIN"), ONLY_12),
        (Speaks::Clear, "none", None, rustls::ALL_VERSIONS),
    ] {
        let server = MailServer::start(Options { speaks, auth, versions, ..Options::default() });
        told(&server, tls).await.unwrap_or_else(|e| panic!("{tls} {auth:?}: {}", e.chain()));
        let letters = server.letters();
        assert_eq!((letters.len(), letters[0].secure, letters[0].user.is_some()), (1, tls != "none", auth.is_some()));
        assert_eq!(server.complaints(), Vec::<String>::new());
        mail(&server.settings(tls)).check().await.unwrap();
        assert_eq!(server.letters().len(), 1, "a look sends nothing");
    }
}

#[tokio::test]
async fn nothing_goes_where_it_could_be_read_or_to_whom_nobody_vouches_for() {
    // No STARTTLS there.
    let server = MailServer::start(Options { speaks: Speaks::Clear, ..Options::default() });
    failed(told(&server, "starttls").await, Kind::Denied, "does not offer STARTTLS");
    assert_eq!(server.steps(), ["connect", "EHLO"]);
    // Somebody on the way answers beyond STARTTLS.
    let server = MailServer::start(Options::default());
    server.inject([("STARTTLS", Trouble::Say("220 go ahead\r\n250-mail.test\r\n250 AUTH PLAIN"))]);
    failed(told(&server, "starttls").await, Kind::Denied, "before TLS began");
    assert_eq!((server.steps(), server.letters()), (vec!["connect".to_owned(), "EHLO".to_owned(), "STARTTLS".to_owned()], Vec::new()));
    // A certificate that has ended, and one of an authority that is not known.
    for (expired, forget) in [(true, false), (false, true)] {
        for (speaks, tls) in [(Speaks::StartTls, "starttls"), (Speaks::Implicit, "tls")] {
            let server = MailServer::start(Options { speaks, expired, ..Options::default() });
            let mut settings = server.settings(tls);
            settings.retain(|(name, _)| !(forget && *name == "SSL_CERT_FILE"));
            failed(mail(&settings).tell(&notice(What::Fires)).await, Kind::Unavailable, "certificate");
            assert!(!server.steps().iter().any(|step| step == "AUTH") && server.letters().is_empty());
        }
    }
    let server = MailServer::start(Options { auth: Some("CRAM-MD5"), ..Options::default() });
    failed(told(&server, "starttls").await, Kind::Denied, "does not offer AUTH PLAIN or AUTH LOGIN");
}

#[tokio::test]
async fn a_no_is_kept_by_step_and_code_and_not_argued_with() {
    for step in ["connect", "EHLO", "STARTTLS", "AUTH", "MAIL", "DATA", "message"] {
        for (answer, kind, code) in [("421 later, oncall@contoso.example", Kind::Unavailable, "421"), ("554 never, rtvoice", Kind::Denied, "554")] {
            let server = MailServer::start(Options::default());
            server.inject([(step, Trouble::Say(answer))]);
            failed(told(&server, "starttls").await, kind, code);
            assert_eq!((server.sessions(), server.letters()), (1, Vec::new()), "{step} {code}");
        }
    }
    let server = MailServer::start(Options::default());
    let mut settings = server.settings("starttls");
    settings.push(("ALERT_MAIL_PASSWORD", "c2VjcmV0-wrong".to_owned()));
    let error = failed(mail(&settings).tell(&notice(What::Fires)).await, Kind::Denied, "AUTH with 535");
    assert!(!format!("{error:?}").contains("c2VjcmV0"));
}

#[tokio::test]
async fn a_recipient_that_is_not_known_keeps_it_from_nobody_else() {
    let server = MailServer::start(Options { unknown: Some("oncall@contoso.example"), ..Options::default() });
    let mail = mail(&server.settings("starttls"));
    mail.tell(&notice(What::Fires)).await.unwrap();
    assert_eq!(server.letters()[0].to, ["second@contoso.example"]);
    failed(mail.check().await, Kind::Denied, "1 of ALERT_MAIL_TO with 550");
    let mut settings = server.settings("starttls");
    settings.push(("ALERT_MAIL_TO", "oncall@contoso.example".to_owned()));
    failed(self::mail(&settings).tell(&notice(What::Fires)).await, Kind::Denied, "RCPT with 550");
}

#[tokio::test]
async fn a_cut_is_tried_again_until_the_message_is_out() {
    for step in ["connect", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA"] {
        let server = MailServer::start(Options::default());
        server.inject([(step, Trouble::Cut)]);
        told(&server, "starttls").await.unwrap_or_else(|e| panic!("{step}: {}", e.chain()));
        assert_eq!((server.sessions(), server.letters().len(), server.complaints()), (2, 1, Vec::new()), "{step}");
    }
    let server = MailServer::start(Options::default());
    server.inject([("message", Trouble::Cut)]);
    failed(told(&server, "starttls").await, Kind::Unavailable, "the mail server is out of reach");
    assert_eq!((server.sessions(), server.letters().len()), (1, 1), "it may have it");
    for answer in ["2xx ok", "250_ok", "ok", "999 ok"] {
        let server = MailServer::start(Options::default());
        server.inject([("EHLO", Trouble::Say(answer)), ("EHLO", Trouble::Say(answer))]);
        failed(told(&server, "starttls").await, Kind::Unavailable, "without a code");
    }
}

#[tokio::test]
async fn a_server_that_hangs_costs_ten_seconds_at_most() {
    for step in ["connect", "STARTTLS", "message"] {
        let server = MailServer::start(Options::default());
        server.inject([(step, Trouble::Hang), (step, Trouble::Hang)]);
        let telling = tokio::spawn({
            let mail = mail(&server.settings("starttls"));
            async move { mail.tell(&notice(What::Fires)).await }
        });
        eventually("it hangs", || format!("{:?}", server.steps()), async || server.steps().last().filter(|last| *last == step).cloned()).await;
        tokio::time::pause();
        let began = tokio::time::Instant::now();
        failed(telling.await.unwrap(), Kind::Deadline, "the mail server did not answer within 10000 ms");
        assert!(began.elapsed() <= std::time::Duration::from_secs(11), "{:?}", began.elapsed());
        tokio::time::resume();
    }
}

#[tokio::test]
async fn mail_is_for_what_somebody_must_act_on() {
    let server = MailServer::start(Options::default());
    let config = config(&server.settings("starttls"));
    let client = http::client().unwrap();
    let notices = Notices::new(&client, &config.alerts, config.ca_file.as_deref());
    for (level, mailed) in [("P0", true), ("P1", true), ("P2", false)] {
        assert_eq!(notices.wants(Sink::Mail, &Notice { level, ..notice(What::Fires) }), mailed, "{level}");
    }
    assert!(!notices.wants(Sink::Webhook, &notice(What::Fires)), "there is none");
    let without = Notices::new(&client, &AlertConfig { mail: None, ..config.alerts }, None::<&Path>);
    assert!(!without.wants(Sink::Mail, &notice(What::Fires)));
    assert_eq!(server.sessions(), 0);
}
