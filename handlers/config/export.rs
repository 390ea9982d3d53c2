//! The settings of collectors of spans and metrics.

use super::read::{Lookup, SettingError, endpoint, text, wrong};
use super::{ExportConfig, InsightsConfig, Secret};

const CONNECTION: &str = "APPLICATIONINSIGHTS_CONNECTION_STRING";
const AUTHENTICATION: &str = "APPLICATIONINSIGHTS_AUTHENTICATION_STRING";
const EXAMPLE: &str = "InstrumentationKey=00000000-0000-0000-0000-000000000000;IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/";

pub(super) fn export(lookup: Lookup<'_>) -> Result<ExportConfig, SettingError> {
    let otlp_endpoint = endpoint(lookup, "OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example:4318")?;
    let mut otlp_headers = Vec::new();
    for pair in text(lookup, "OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default().split(',').filter(|pair| !pair.trim().is_empty()) {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| wrong("OTEL_EXPORTER_OTLP_HEADERS", "must be name=value pairs with commas between", "api-key=<key>"))?;
        otlp_headers.push((name.trim().to_owned(), Secret::new(value.trim())));
    }
    Ok(ExportConfig { otlp_endpoint, otlp_headers, insights: insights(lookup)? })
}

/// `Name=value` pairs with semicolons between, as the portal shows them.
fn insights(lookup: Lookup<'_>) -> Result<Option<InsightsConfig>, SettingError> {
    let entra = match text(lookup, AUTHENTICATION) {
        None => false,
        Some(text) if text.split(';').any(|pair| pair.trim() == "Authorization=AAD") => true,
        Some(_) => return Err(wrong(AUTHENTICATION, "must be Authorization=AAD where it is set", "Authorization=AAD")),
    };
    let Some(connection) = text(lookup, CONNECTION) else { return Ok(None) };
    let part = |name: &str| connection.split(';').find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('=').map(str::to_owned));
    let key = part("InstrumentationKey").filter(|key| !key.is_empty());
    let place = part("IngestionEndpoint").unwrap_or_else(|| "https://dc.services.visualstudio.com".to_owned());
    let bare = |asked: &str| (asked == CONNECTION).then(|| place.clone());
    match (key, endpoint(&bare, CONNECTION, EXAMPLE)) {
        (Some(key), Ok(Some(endpoint))) => Ok(Some(InsightsConfig { endpoint, key: Secret::new(key), entra })),
        _ => Err(wrong(CONNECTION, "must hold an InstrumentationKey and an https IngestionEndpoint", EXAMPLE)),
    }
}
