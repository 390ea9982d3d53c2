//! Entra tokens: of the managed identity where one is there, else of the developer's sign-in.

use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::TokenCredential;
use azure_core::http::{ClientOptions, Transport};
use azure_identity::{DeveloperToolsCredential, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId};

use crate::error::{Error, Kind, Result};
use crate::model::time::Timestamp;

/// Time that one token may take; it is cached until shortly before it expires.
const DEADLINE: Duration = Duration::from_secs(5);

/// A source of Entra tokens; clones share its cache.
#[derive(Clone)]
pub struct Identity {
    credential: Arc<dyn TokenCredential>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Identity")
    }
}

impl Identity {
    /// The managed identity (`client_id` chooses it) where `managed` is true, else the developer's sign-in.
    pub fn new(http: reqwest::Client, managed: bool, client_id: Option<String>) -> Result<Self> {
        let sound = |e: azure_core::Error| {
            Error::new(
                Kind::Setting,
                "AZURE_CLIENT_ID must name a managed identity of this app, for example AZURE_CLIENT_ID=00000000-0000-0000-0000-000000000000",
            )
            .because(e)
        };
        let credential: Arc<dyn TokenCredential> = if managed {
            let client_options = ClientOptions { transport: Some(Transport::new(Arc::new(http))), ..ClientOptions::default() };
            let options = ManagedIdentityCredentialOptions { user_assigned_id: client_id.map(UserAssignedId::ClientId), client_options };
            ManagedIdentityCredential::new(Some(options)).map_err(sound)?
        } else {
            DeveloperToolsCredential::new(None).map_err(sound)?
        };
        Ok(Self { credential })
    }

    /// Tokens of this credential.
    pub fn from_credential(credential: Arc<dyn TokenCredential>) -> Self {
        Self { credential }
    }

    /// The credential itself, for the SDKs that take one.
    pub fn credential(&self) -> Arc<dyn TokenCredential> {
        Arc::clone(&self.credential)
    }

    /// A bearer token for one scope, such as `https://servicebus.azure.net/.default`. `Denied` where none is given.
    pub async fn token(&self, scope: &str) -> Result<String> {
        Ok(self.lasting_token(scope).await?.0)
    }

    /// A bearer token and when it expires. The SDK gives a new one once the old one has less than five minutes left.
    pub async fn lasting_token(&self, scope: &str) -> Result<(String, Timestamp)> {
        match tokio::time::timeout(DEADLINE, self.credential.get_token(&[scope], None)).await {
            Ok(Ok(token)) => Ok((token.token.secret().to_owned(), Timestamp::from_millis(token.expires_on.unix_timestamp().saturating_mul(1000)))),
            Ok(Err(e)) => Err(Error::new(Kind::Denied, "no Entra token could be had").because(e)),
            Err(_) => Err(Error::deadline("Entra", DEADLINE)),
        }
    }
}
