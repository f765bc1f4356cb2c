//! Who is asking: the `wb-key` header, or the `app-session` cookie of somebody who signed in.

use aggregates::tenant::CredentialKind;
use axum::http::{HeaderMap, Method, header, request::Parts};

use super::error::{Error, Result};
use crate::app::{App, Principal, access::TokenKind};

const SESSION_COOKIE: &str = "app-session";

/// The principal of a request. A key decides alone; the cookie, which a browser sends unasked, may write only from
/// the service's own pages.
pub async fn principal(app: &App, parts: &Parts) -> Result<Principal> {
    if let Some(key) = parts.headers.get("wb-key") {
        let found = match key.to_str() {
            Ok(key) => app.principal(CredentialKind::Wingback, key).await?,
            Err(_) => None,
        };
        return found
            .map(|principal| (*principal).clone())
            .ok_or_else(|| Error::unauthorized("the key in wb-key is not known"));
    }
    let token = session(&parts.headers)
        .ok_or_else(|| Error::unauthorized("a wb-key header or an app-session cookie is needed"))?;
    let found = app.token_principal(token, TokenKind::Session).await?;
    let principal = found.ok_or_else(|| Error::unauthorized("the session is not known or has expired"))?;
    if parts.method != Method::GET && parts.method != Method::HEAD {
        own_page(&parts.headers)?;
    }
    Ok(principal)
}

fn session(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == SESSION_COOKIE)
        .map(|(_, value)| value)
}

/// A form on a foreign page can send the cookie, but neither a JSON body without asking nor our origin.
fn own_page(headers: &HeaderMap) -> Result<()> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let media_type = text(header::CONTENT_TYPE).and_then(|value| value.split(';').next());
    if !media_type.is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json")) {
        return Err(Error::forbidden(
            "a write with a session cookie must be application/json",
        ));
    }
    if !headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    let origin = text(header::ORIGIN).and_then(|origin| {
        origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"))
    });
    match (origin, text(header::HOST)) {
        (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Error::forbidden(
            "a write with a session cookie must come from this host",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn the_session_is_found_among_other_cookies() {
        assert_eq!(
            session(&headers(&[("cookie", "a=1; app-session=xyz; b=2")])),
            Some("xyz")
        );
        assert_eq!(
            session(&headers(&[("cookie", "a=1"), ("cookie", "app-session=x")])),
            Some("x")
        );
        assert_eq!(session(&headers(&[("cookie", "my-app-session=xyz")])), None);
        assert_eq!(session(&headers(&[])), None);
    }

    #[test]
    fn only_json_of_this_host_counts_as_our_own_page() {
        let json = ("content-type", "application/json; charset=utf-8");
        assert!(own_page(&headers(&[json])).is_ok());
        assert!(own_page(&headers(&[json, ("host", "a.test:80"), ("origin", "http://a.test:80")])).is_ok());
        for foreign in [
            "http://b.test",
            "null",
            "http://a.test.b.test",
            "ftp://a.test",
            "https://a.test:1",
        ] {
            assert!(
                own_page(&headers(&[json, ("host", "a.test"), ("origin", foreign)])).is_err(),
                "{foreign}"
            );
        }
        assert!(own_page(&headers(&[])).is_err());
        assert!(own_page(&headers(&[("content-type", "text/plain")])).is_err());
        assert!(own_page(&headers(&[json, ("origin", "http://a.test")])).is_err());
    }
}
