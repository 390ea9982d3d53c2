//! The identity's tokens, the voice, the agent, the keys and the mail server.

use super::{Finding, blame};
use crate::app::App;
use crate::config::{RedisAuth, RootKey};
use crate::model::phrase::AudioFormat;
use crate::ports::exchange::COGNITIVE_SCOPE;
use crate::ports::export;
use crate::ports::http;
use crate::ports::identity::Identity;
use crate::ports::replies::Prompt;

/// What is said to hear whether the voice speaks.
const PHRASE: &str = "One.";
/// What the agent is asked.
const QUESTION: &str = "Hello.";

/// A token for each service that has no key in the settings.
pub async fn identity(app: &App) -> Vec<Finding> {
    let config = &app.config;
    let keyless = [
        ("Redis", "https://redis.azure.com/.default", config.redis.as_ref().is_some_and(|r| matches!(r.auth, RedisAuth::Entra { .. }))),
        ("Cosmos DB", "https://cosmos.azure.com/.default", config.cosmos.as_ref().is_some_and(|c| c.key.is_none())),
        ("Service Bus", "https://servicebus.azure.net/.default", config.service_bus.as_ref().is_some_and(|b| b.key.is_none())),
        ("Azure Speech", COGNITIVE_SCOPE, config.speech.as_ref().is_some_and(|s| s.key.is_none())),
        ("Azure OpenAI", COGNITIVE_SCOPE, config.openai.as_ref().is_some_and(|o| o.service.key.is_none())),
        ("Key Vault", "https://vault.azure.net/.default", matches!(config.root_key, RootKey::Vault { .. })),
        ("Application Insights", export::SCOPE, config.export.insights.as_ref().is_some_and(|insights| insights.entra)),
    ];
    let needed: Vec<_> = keyless.into_iter().filter(|(_, _, needs)| *needs).collect();
    if needed.is_empty() {
        return vec![Finding::skipped("identity", "no service is reached by Entra")];
    }
    let managed = config.guarded || config.managed_identity;
    let client = config.ca_file.as_deref().map_or_else(http::client, http::client_trusting);
    let identity = match client.and_then(|client| Identity::new(client, managed, config.azure_client_id.clone())) {
        Ok(identity) => identity,
        Err(e) => return vec![Finding::fault("identity", e.detail.clone(), e.chain(), e.detail)],
    };
    let fix = if managed {
        "switch the managed identity of the app on (az functionapp identity assign), and where it has several name one by AZURE_CLIENT_ID"
    } else {
        "sign in with az login, or set the keys of the services"
    };
    let mut found = Vec::new();
    for (service, scope, _) in needed {
        match identity.token(scope).await {
            Ok(_) => found.push(Finding::ok("identity", format!("gets a token for {service}"))),
            Err(e) => found.push(Finding::fault("identity", format!("gets no token for {service}"), e.chain(), fix)),
        }
    }
    found
}

/// Whether the voice speaks.
pub async fn speech(app: &App, free: bool) -> Vec<Finding> {
    let name = app.speech.name();
    if app.config.speech.is_none() {
        let warning = Finding::warning(
            "speech",
            format!("{name} speaks"),
            "SPEECH_ENDPOINT is unset: callers would hear a stand-in",
            "set SPEECH_ENDPOINT, for example https://westeurope.tts.speech.microsoft.com",
        );
        return vec![if app.config.guarded { warning } else { Finding::ok("speech", warning.found) }];
    }
    if free {
        return vec![Finding::skipped("speech", "not asked to speak (--free)")];
    }
    let spoken = match app.phrase(PHRASE, None, None, AudioFormat::default()) {
        Ok(phrase) => app.speech.synthesise(&phrase).await,
        Err(e) => Err(e),
    };
    let access = "set SPEECH_KEY to a key of the resource; with Entra, give the identity the role Cognitive Services Speech User and set SPEECH_ENDPOINT to the resource's own domain";
    let reach = "see the finding network.speech: allow outbound TCP 443 to SPEECH_ENDPOINT; until then turns are answered as text alone";
    vec![match spoken {
        Ok(audio) => Finding::ok("speech", format!("{name} speaks as {} ({} bytes)", app.config.speech_voice, audio.len())),
        Err(e) if e.kind == crate::error::Kind::BadInput => Finding::fault(
            "speech",
            format!("the voice {} cannot speak", app.config.speech_voice),
            e.chain(),
            "set SPEECH_VOICE to a voice of the endpoint's region, for example en-US-AvaMultilingualNeural",
        ),
        Err(e) => blame("speech", &e, access, reach),
    }]
}

/// Whether the agent answers.
pub async fn replies(app: &App, free: bool) -> Vec<Finding> {
    let name = app.replies.name();
    if app.config.openai.is_none() {
        return vec![Finding::ok("replies", format!("{name} answers"))];
    }
    if free {
        return vec![Finding::skipped("replies", "not asked to answer (--free)")];
    }
    let prompt = Prompt { text: QUESTION, language: None, history: &[], auth: None, profile: None };
    let access = "set OPENAI_KEY to a key of the resource; with Entra, give the identity the role Cognitive Services OpenAI User";
    let reach = "see the finding network.openai: allow outbound TCP 443 to OPENAI_ENDPOINT; until then callers hear a fallback line";
    vec![match app.replies.reply(prompt).await {
        Ok(reply) => Finding::ok("replies", format!("{} answers", reply.source)),
        Err(e) => blame("replies", &e, access, reach),
    }]
}

/// Whether the root key opens the others.
pub async fn keys(app: &App) -> Vec<Finding> {
    if app.vault.is_off() {
        return vec![Finding::warning("keys", "PRIVACY is off: nothing is sealed", "the settings say so", "set PRIVACY=on")];
    }
    let access = "give the identity the role Key Vault Crypto User on the key";
    let reach = "see network.key-vault and the findings on documents: the wrapped keys lie there";
    vec![match app.vault.fingerprint(PHRASE).await {
        Ok(_) => Finding::ok("keys", "the root key opens the keys of the record"),
        Err(e) => blame("keys", &e, access, reach),
    }]
}

/// Whether the mail server would take alerts; none is sent.
pub async fn mail(app: &App) -> Vec<Finding> {
    let (Some(mail), Some(config)) = (&app.notices.mail, &app.config.alerts.mail) else {
        return vec![Finding::skipped("mail", "ALERT_MAIL_HOST is unset: alerts are not mailed")];
    };
    let access = "set ALERT_MAIL_USER and ALERT_MAIL_PASSWORD to what the mail server knows, ALERT_MAIL_FROM to an address that it lets this user send from, ALERT_MAIL_TO to addresses that it takes; ALERT_MAIL_TLS must be what its port speaks";
    let reach = "correct ALERT_MAIL_HOST, ALERT_MAIL_PORT and ALERT_MAIL_TLS, or allow outbound TCP to them; many networks block port 25; an authority of your own belongs into SSL_CERT_FILE";
    vec![match mail.check().await {
        Ok(()) => Finding::ok("mail", format!("{}:{} would take alerts for {} recipients", config.host, config.port, config.to.len())),
        Err(e) => blame("mail", &e, access, reach),
    }]
}
