//! EraseUser: a person asks to be forgotten. In: their token. Out: 202 with the erasure, which goes on by itself; the same
//! request again answers the same erasure. Needs the admin key. 409 while a legal hold stands.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::app::App;
use crate::error::Result;
use crate::host::http::{Request, json_response};
use crate::model::ids::UserToken;
use crate::steps::erasure;

/// Answers one request.
pub async fn run(app: App, request: Request) -> Result<Response> {
    let user = UserToken::parse(request.param("userId"))?;
    let erasure = erasure::request(&app, &user).await?;
    let (app_, id) = (app.clone(), erasure.id.clone());
    app.spawn(async move {
        if let Err(e) = erasure::run(&app_, &id).await {
            tracing::warn!(error = e.chain(), "an erasure stopped: ErasureRunner goes on with it");
        }
    });
    let mut response = json_response(StatusCode::ACCEPTED, &erasure.view());
    if let Ok(place) = HeaderValue::from_str(&format!("/api/erasures/{}", erasure.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}
