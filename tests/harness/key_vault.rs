//! A strict stand-in for Azure Key Vault's keys (REST API 7.4): it wraps and unwraps by RSA-OAEP-256 with real RSA keys, keeps
//! versions, and complains about every request that the reference does not describe.

use std::sync::{Arc, Mutex, OnceLock};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::identity::audience_of;
use super::stand_in::{Seen, StandIn, Verdict};

/// The name of its only key.
pub const KEY: &str = "rtvoice";

/// How it can fail, one fault for one correct request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// 429, with `Retry-After` in seconds.
    Throttled(Option<u64>),
    /// Any other status, with a message that quotes the request.
    Status(u16),
    /// No answer at all.
    Hang,
    /// 200 for another version of the key.
    OtherVersion,
    /// 200 with JSON that breaks off.
    MalformedJson,
    /// 200 with a body of this many bytes.
    Huge(usize),
}

/// Its versions: which of the RSA keys each is, and whether it is enabled.
#[derive(Default)]
struct Versions(Mutex<Vec<(String, bool)>>);

/// A running vault.
pub struct KeyVaultStandIn {
    pub server: StandIn<Fault>,
}

impl KeyVaultStandIn {
    /// Starts a vault whose key has one version.
    pub fn start() -> Self {
        let versions = Arc::new(Versions::default());
        versions.add();
        Self { server: StandIn::start(move |seen| versions.judge(seen)) }
    }
}

/// RSA keys take a while to make; version `n` of every vault has the same one.
fn rsa(n: usize) -> &'static PrivateDecryptingKey {
    static KEYS: OnceLock<Vec<PrivateDecryptingKey>> = OnceLock::new();
    let keys = KEYS.get_or_init(|| (0..3).map(|_| PrivateDecryptingKey::generate(KeySize::Rsa2048).expect("an RSA key")).collect());
    keys.get(n).expect("a test makes at most three versions")
}

fn encrypt(n: usize, plain: &[u8]) -> Vec<u8> {
    let public = PublicEncryptingKey::from_der(rsa(n).public_key().as_der().expect("DER").as_ref()).expect("a public key");
    let public = OaepPublicEncryptingKey::new(public).expect("a public key");
    let mut out = vec![0; public.ciphertext_size()];
    public.encrypt(&OAEP_SHA256_MGF1SHA256, plain, &mut out, None).expect("32 bytes").to_vec()
}

fn decrypt(n: usize, wrapped: &[u8]) -> Option<Vec<u8>> {
    let private = OaepPrivateDecryptingKey::new(rsa(n).clone()).expect("a private key");
    let mut out = vec![0; private.min_output_size()];
    private.decrypt(&OAEP_SHA256_MGF1SHA256, wrapped, &mut out, None).ok().map(|plain| plain.to_vec())
}

impl Versions {
    fn add(&self) -> String {
        let mut versions = self.0.lock().expect("unpoisoned");
        let version = format!("{:032x}", 0xa0 + versions.len());
        versions.push((version.clone(), true));
        version
    }

    fn judge(&self, seen: &Seen) -> Verdict<Fault> {
        match self.answer(seen) {
            Ok(answer) => Verdict::Right(axum::Json(answer).into_response(), fail),
            // What a sound client may be answered with: no complaint, but no place for a fault either.
            Err((status @ (400 | 403 | 404), None)) => Verdict::Right(error(status, "what was asked for is not to be had"), fail),
            Err((status, complaint)) => {
                let complaint = complaint.unwrap_or_default();
                Verdict::Wrong(complaint.clone(), error(status, &complaint))
            }
        }
    }

    fn answer(&self, seen: &Seen) -> Result<Value, (u16, Option<String>)> {
        let wrong = |status: u16, sound: bool, what: &str| if sound { Ok(()) } else { Err((status, Some(what.to_owned()))) };
        wrong(400, seen.uri.query() == Some("api-version=7.4"), "api-version")?;
        let token = seen.header("authorization").strip_prefix("Bearer ").and_then(audience_of);
        wrong(401, token.as_deref() == Some("https://vault.azure.net"), "token")?;
        wrong(411, seen.method != Method::POST || !seen.header("content-length").is_empty(), "content-length")?;
        let base = format!("http://{}/keys/{KEY}", seen.header("host"));
        let path: Vec<&str> = seen.uri.path().split('/').skip(1).collect();
        let bundle = |version: &str| json!({"key": {"kid": format!("{base}/{version}"), "kty": "RSA", "key_ops": ["wrapKey", "unwrapKey"], "n": "AQ", "e": "AQAB"}, "attributes": {"enabled": true, "created": 1_767_225_600}});
        match (&seen.method, &path[..]) {
            (&Method::GET, ["keys", KEY]) => {
                let newest = self.0.lock().expect("unpoisoned").last().expect("a version").0.clone();
                Ok(bundle(&newest))
            }
            (&Method::POST, ["keys", KEY, "rotate"]) => {
                wrong(400, seen.body.is_empty(), "body")?;
                Ok(bundle(&self.add()))
            }
            (&Method::PATCH, ["keys", KEY, version]) => {
                let sound = serde_json::from_slice::<Value>(&seen.body).ok() == Some(json!({"attributes": {"enabled": false}}));
                wrong(400, sound && seen.header("content-type") == "application/json", "body")?;
                let mut versions = self.0.lock().expect("unpoisoned");
                versions.iter_mut().find(|(v, _)| v == version).ok_or((404, None))?.1 = false;
                Ok(bundle(version))
            }
            (&Method::POST, ["keys", KEY, version, operation @ ("wrapkey" | "unwrapkey")]) => {
                let bytes = operand(seen)?;
                let versions = self.0.lock().expect("unpoisoned").clone();
                let n = versions.iter().position(|(v, _)| v == version).ok_or((404, None))?;
                let enabled = versions[n].1;
                let value = match *operation {
                    _ if !enabled => return Err((403, None)),
                    "wrapkey" => {
                        wrong(400, bytes.len() == 32, "size of the key")?;
                        encrypt(n, &bytes)
                    }
                    _ => decrypt(n, &bytes).ok_or((400, None))?,
                };
                Ok(json!({"kid": format!("{base}/{version}"), "value": URL_SAFE_NO_PAD.encode(value)}))
            }
            (_, ["keys", other, ..]) if *other != KEY => Err((404, None)),
            _ => Err((405, Some("path or method".to_owned()))),
        }
    }
}

/// The value of an operation whose body is exactly right.
fn operand(seen: &Seen) -> Result<Vec<u8>, (u16, Option<String>)> {
    let complaint = |what: &str| (400, Some(what.to_owned()));
    if seen.header("content-type") != "application/json" {
        return Err(complaint("content-type"));
    }
    let body: Value = serde_json::from_slice(&seen.body).map_err(|_| complaint("json"))?;
    let body = body.as_object().filter(|b| b.len() == 2).ok_or_else(|| complaint("fields"))?;
    if body.get("alg").and_then(Value::as_str) != Some("RSA-OAEP-256") {
        return Err(complaint("alg"));
    }
    let value = body.get("value").and_then(Value::as_str).ok_or_else(|| complaint("value"))?;
    URL_SAFE_NO_PAD.decode(value).map_err(|_| complaint("base64url without padding"))
}

fn fail(fault: Fault) -> Option<Response> {
    Some(match fault {
        Fault::Hang => return None,
        Fault::Throttled(seconds) => {
            let mut response = error(429, "quoting: secret-value");
            if let Some(seconds) = seconds {
                response.headers_mut().insert("retry-after", seconds.into());
            }
            response
        }
        Fault::Status(status) => error(status, "quoting: secret-value"),
        Fault::OtherVersion => axum::Json(json!({"kid": "http://127.0.0.1:1/keys/rtvoice/00000000000000000000000000000000", "value": "AAAA"})).into_response(),
        Fault::MalformedJson => ([("content-type", "application/json")], r#"{"kid":"secret-value"#).into_response(),
        Fault::Huge(bytes) => ([("content-type", "application/json")], "x".repeat(bytes)).into_response(),
    })
}

fn error(status: u16, message: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, axum::Json(json!({"error": {"code": "Fault", "message": message}}))).into_response()
}
