//! The problems that every operation may answer with, told once for all of them.

use axum::http::StatusCode;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, OpenApi, PathItem, Ref, RefOr, Response};

use super::{API_KEY, BEARER};
use crate::api::visitor::Role;

/// Who may meet a problem.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whom {
    /// Whoever asks anything.
    All,
    /// Whoever asks what needs a role.
    Guarded,
    /// Whoever names one thing among others.
    Naming,
    /// Whoever sends a body.
    Sending,
}

/// Problems by status: who may meet them, and when.
const PROBLEMS: [(StatusCode, Whom, &str); 14] = [
    (StatusCode::BAD_REQUEST, Whom::All, "The question makes no sense; the detail says why"),
    (
        StatusCode::UNAUTHORIZED,
        Whom::All,
        "A token is needed, or the one that was sent is not valid",
    ),
    (
        StatusCode::FORBIDDEN,
        Whom::All,
        "The role does not allow it, or the page that asks is not ours",
    ),
    (StatusCode::NOT_FOUND, Whom::Naming, "There is none of this name"),
    (StatusCode::METHOD_NOT_ALLOWED, Whom::Guarded, "The method is none of this address"),
    (StatusCode::REQUEST_TIMEOUT, Whom::Sending, "The body did not come in time"),
    (StatusCode::PAYLOAD_TOO_LARGE, Whom::Sending, "The body is too large"),
    (StatusCode::URI_TOO_LONG, Whom::All, "The address is too long"),
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, Whom::Sending, "The body is of another kind"),
    (StatusCode::MISDIRECTED_REQUEST, Whom::All, "The host that was asked for is not us"),
    (
        StatusCode::UNPROCESSABLE_ENTITY,
        Whom::Sending,
        "The body makes no sense; the detail says why",
    ),
    (
        StatusCode::TOO_MANY_REQUESTS,
        Whom::All,
        "Too many questions; Retry-After says how long to wait",
    ),
    (StatusCode::INTERNAL_SERVER_ERROR, Whom::Guarded, "A fault of poller; the log says more"),
    (StatusCode::SERVICE_UNAVAILABLE, Whom::All, "Not now; the detail says why"),
];

/// All problems as answers, by the names under which operations point to them.
pub(super) fn all() -> impl Iterator<Item = (String, RefOr<Response>)> {
    PROBLEMS.into_iter().map(|(status, _, about)| {
        let schema = Ref::from_schema_name("Problem");
        let mut response = Response::new(about);
        let content = Content::new(Some(schema));
        response.content.insert("application/problem+json".to_owned(), RefOr::T(content));
        (name(status), RefOr::T(response))
    })
}

/// Tells of all operations of `document`, which need `role`, with what they may answer beside
/// what they say themselves, and what they need.
pub(in crate::api) fn tell_answers(document: &mut OpenApi, role: Option<Role>) {
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            tell(operation, role);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = item;
    [get, put, post, delete, options, head, patch, trace].into_iter().flatten()
}

fn tell(operation: &mut Operation, role: Option<Role>) {
    let parameters = operation.parameters.iter().flatten();
    let mut parameters = parameters.filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    });
    let is_naming = parameters.any(|parameter| parameter.parameter_in == ParameterIn::Path);
    let is_sending = operation.request_body.is_some();
    for (status, whom, _) in PROBLEMS {
        let is_met = match whom {
            Whom::All => true,
            Whom::Guarded => role.is_some(),
            Whom::Naming => is_naming,
            Whom::Sending => is_sending,
        };
        if is_met {
            let answer = RefOr::Ref(Ref::from_response_name(name(status)));
            operation.responses.responses.entry(status.as_str().to_owned()).or_insert(answer);
        }
    }
    let Some(role) = role else {
        operation.security = Some(Vec::new());
        return;
    };
    let by = |way| SecurityRequirement::new::<_, [&str; 0], &str>(way, []);
    let mut ways = vec![by(BEARER), by(API_KEY)];
    let mut needs = format!("Needs the role `{}`", role.as_str());
    if role == Role::Read {
        // On the daemon's own machine everybody may read.
        ways.push(SecurityRequirement::default());
        needs.push_str(", or nothing over loopback");
    }
    operation.security = Some(ways);
    let said = operation.description.take().map_or_else(String::new, |said| format!("{said}\n\n"));
    operation.description = Some(format!("{said}{needs}."));
}

/// What the answer of `status` is called.
fn name(status: StatusCode) -> String {
    let words = status.canonical_reason().unwrap_or("Problem");
    words.chars().filter(char::is_ascii_alphanumeric).collect()
}
