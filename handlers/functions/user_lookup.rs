//! UserLookup: the token of a user, by which everything else names them. In: `{"userId"}` or `{"phoneNumber"}` in the body, so
//! that neither stands in a URL. Out: `{"token"}`; whether anything is known of that user it does not tell.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::app::App;
use crate::error::{Error, Result};
use crate::host::http::{Request, json_response};
use crate::model::ids::UserId;
use crate::ports::audit::Note;

/// Answers one request.
pub async fn run(app: App, request: Request) -> Result<Response> {
    let mut body = request.object()?;
    let (user, number) = (body.optional_text("userId")?, body.optional_text("phoneNumber")?);
    body.finish()?;
    let token = match (user, number) {
        (Some(user), None) => app.vault.user_token(&UserId::parse(user)?).await?,
        (None, Some(number)) => app.vault.phone_token(&digits(&number)).await?,
        _ => return Err(Error::input("body", "must have either userId or phoneNumber")),
    };
    app.audit.note(Note::new("user.lookup").subject(token.as_str())).await?;
    Ok(json_response(StatusCode::OK, &json!({ "token": token })))
}

/// A number without what people write between its digits.
fn digits(number: &str) -> String {
    number.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/')).collect()
}
