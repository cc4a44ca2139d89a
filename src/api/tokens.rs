//! Tokens: `tokens`, for whoever may change things.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::keys::{CreatedToken, Keys, KeysError, NewToken, TokenRow};
use super::problem::Problem;
use super::routes::Routes;

type Asked = State<Arc<dyn Keys>>;

/// The routes of tokens.
pub(super) fn routes(keys: Arc<dyn Keys>) -> Routes {
    let admin = OpenApiRouter::new()
        .routes(routes!(list_tokens, create_token))
        .routes(routes!(revoke_token))
        .with_state(keys);
    Routes { admin, ..Routes::default() }
}

/// All tokens, the oldest first, without their secrets.
#[utoipa::path(
    get, path = "/api/v1/tokens", tag = "tokens",
    responses((status = 200, description = "The tokens", body = [TokenRow]))
)]
async fn list_tokens(State(keys): Asked) -> Json<Vec<TokenRow>> {
    Json(keys.list())
}

/// Makes a token; its secret is told this once.
#[utoipa::path(
    post, path = "/api/v1/tokens", tag = "tokens",
    request_body = NewToken,
    responses(
        (status = 201, description = "The token", body = CreatedToken),
        (status = 409, description = "There are too many", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn create_token(
    State(keys): Asked,
    Json(wanted): Json<NewToken>,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1], Json<CreatedToken>), Problem> {
    if let Some(slip) = wanted.slip() {
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, slip));
    }
    let created = blocking(move || keys.create(&wanted)).await?;
    let unkept = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok((StatusCode::CREATED, [unkept], Json(created)))
}

/// Revokes a token: from now on it is worth nothing.
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", tag = "tokens",
    params(("id" = String, Path, description = "What the token is called by")),
    responses((status = 200, description = "It is revoked", body = TokenRow))
)]
async fn revoke_token(
    State(keys): Asked,
    Path(id): Path<String>,
) -> Result<Json<TokenRow>, Problem> {
    blocking(move || keys.revoke(&id)).await.map(Json)
}

/// What `work` says, which waits for the store.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, KeysError> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| {
        tracing::error!(%error, "a change of tokens broke off");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "it broke off; the log says why")
    })?;
    done.map_err(|error| {
        let status = match error {
            KeysError::Unknown(_) => StatusCode::NOT_FOUND,
            KeysError::TooMany(_) => StatusCode::CONFLICT,
            KeysError::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Problem::new(status, error.to_string())
    })
}
