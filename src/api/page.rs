//! The dashboard: one page of HTML, and the files that it is made of.

mod assets;

use axum::Extension;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::assets::{ASSETS, Asset, PAGE};
use super::problem::Problem;
use super::routes::Routes;
use super::visitor::{Role, Visitor};

/// The routes of the dashboard. Its files hold no data and are for everybody; so is the page, but
/// strangers are asked to log in.
pub(super) fn routes() -> Routes {
    let open = OpenApiRouter::new().routes(routes!(page)).routes(routes!(asset));
    Routes { open, ..Routes::default() }
}

/// The dashboard, for people.
#[utoipa::path(
    get, path = "/", tag = "pages",
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 303, description = "To the page where one logs in"),
    )
)]
async fn page(visitor: Option<Extension<Visitor>>, headers: HeaderMap) -> Response {
    if visitor.is_none_or(|visitor| visitor.may(Role::Read)) {
        return told(&PAGE, &headers);
    }
    Redirect::to("/login").into_response()
}

/// A file of the dashboard.
#[utoipa::path(
    get, path = "/assets/{name}", tag = "pages",
    params(("name" = String, Path, description = "Its name")),
    responses(
        (status = 200, description = "The file", body = String, content_type = "text/plain"),
        (status = 304, description = "It is as it was"),
        (status = 404, description = "There is no such file", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Result<Response, Problem> {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => Ok(told(asset, &headers)),
        None => {
            Err(Problem::new(StatusCode::NOT_FOUND, format!("there is nothing at /assets/{name}")))
        }
    }
}

/// `asset`, or the word that the visitor has it already. Browsers ask again each time, so that a
/// page is never made of files of two versions.
fn told(asset: &Asset, headers: &HeaderMap) -> Response {
    let tag = asset.tag();
    let known = headers.get_all(header::IF_NONE_MATCH).iter().any(|given| {
        given.to_str().is_ok_and(|given| {
            let mut tags = given.split(',').map(|one| one.trim().trim_start_matches("W/"));
            tags.any(|one| one == tag || one == "*")
        })
    });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind))];
        (kind, asset.text).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_a_browser_has_is_not_sent_again() {
        let fresh = told(&PAGE, &HeaderMap::new());
        assert_eq!(fresh.status(), StatusCode::OK);
        let tag = fresh.headers().get(header::ETAG).cloned().expect("a tag");
        let mut headers = HeaderMap::new();
        headers.insert(header::IF_NONE_MATCH, tag);
        assert_eq!(told(&PAGE, &headers).status(), StatusCode::NOT_MODIFIED);
        headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("\"other\""));
        assert_eq!(told(&PAGE, &headers).status(), StatusCode::OK);
    }

    #[test]
    fn the_page_names_files_that_are_there_and_nothing_from_elsewhere() {
        let named: Vec<_> = PAGE.text.split("\"/assets/").skip(1).collect();
        assert!(named.len() > 5, "{named:?}");
        for rest in named {
            let name = rest.split('"').next().unwrap_or_default();
            assert!(ASSETS.iter().any(|asset| asset.name == name), "{name}");
        }
        for asset in ASSETS.iter().chain([&PAGE]) {
            // Addresses of namespaces, of licences and of examples are never fetched.
            let fetched = ["src=\"http", "href=\"http", "url(http", "from \"http", "@import"];
            for way in fetched {
                assert!(!asset.text.contains(way), "{} fetches by {way}", asset.name);
            }
        }
        assert!(!PAGE.text.contains(" style=") && !PAGE.text.contains("<style"), "the CSP bars it");
    }

    #[test]
    fn every_module_that_is_imported_is_there() {
        for asset in ASSETS.iter().filter(|asset| asset.kind.starts_with("text/javascript")) {
            for rest in asset.text.split(" from \"./").skip(1) {
                let name = rest.split('"').next().unwrap_or_default();
                assert!(ASSETS.iter().any(|other| other.name == name), "{}: {name}", asset.name);
            }
        }
    }
}
