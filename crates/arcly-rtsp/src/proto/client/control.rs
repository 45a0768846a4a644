//! Which URL a track is controlled by (RFC 2326, appendix C.1.1).

use super::quirks::BaseUrlPolicy;
use crate::proto::message::{Response, name};
use crate::proto::url::RtspUrl;

/// What the control URLs of the media sections of a description are relative to.
pub(super) fn base_url(
    request: &RtspUrl,
    response: &Response,
    session_control: Option<&str>,
    policy: BaseUrlPolicy,
) -> String {
    let own = request.request_uri();
    if policy == BaseUrlPolicy::Request {
        return own;
    }
    if let Some(control) = session_control.map(str::trim)
        && is_absolute(control)
    {
        return control.to_owned();
    }
    let named = [name::CONTENT_BASE, name::CONTENT_LOCATION]
        .into_iter()
        .filter_map(|name| response.headers.get(name))
        .map(str::trim)
        .find(|value| !value.is_empty());
    match named {
        None => own,
        Some(named) if is_absolute(named) => named.to_owned(),
        // An absolute path.
        Some(path) if path.starts_with('/') => {
            let end = own.len() - request.path_and_query.len();
            format!("{}{path}", own.get(..end).unwrap_or_default())
        }
        // A relative reference makes no sense to anybody, but host and port without a scheme do.
        Some(named) => {
            let scheme = if request.tls { "rtsps" } else { "rtsp" };
            let mended = format!("{scheme}://{named}");
            match RtspUrl::parse(&mended) {
                Ok(url) if url.host.contains('.') || url.port.is_some() => mended,
                _ => own,
            }
        }
    }
}

/// What `control` names, relative to `base`. Not as RFC 3986 has it, but as all clients do, and servers expect: put behind the base, query
/// or no query, with a slash between.
pub(super) fn resolve(base: &str, control: &str) -> String {
    let control = control.trim();
    if control.is_empty() || control == "*" {
        return base.to_owned();
    }
    if is_absolute(control) {
        return control.to_owned();
    }
    match (base.ends_with('/'), control.starts_with(['/', '?'])) {
        (true, true) if control.starts_with('/') => {
            format!("{}{control}", base.trim_end_matches('/'))
        }
        (false, false) => format!("{base}/{control}"),
        _ => format!("{base}{control}"),
    }
}

fn is_absolute(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        ["rtsp", "rtsps", "rtspu"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(scheme))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::message::StatusCode;

    fn base(headers: &[(&str, &str)], control: Option<&str>, policy: BaseUrlPolicy) -> String {
        let request = RtspUrl::parse("rtsp://u:p@cam:8554/live?token=x").expect("a URL");
        let mut response = Response::new(StatusCode::OK);
        for (name, value) in headers {
            response.headers.push(*name, *value);
        }
        base_url(&request, &response, control, policy)
    }

    #[test]
    fn the_base_is_what_the_server_says_it_is() {
        let described = |headers: &[_], control| base(headers, control, BaseUrlPolicy::AsDescribed);
        assert_eq!(described(&[], None), "rtsp://cam:8554/live?token=x");
        assert_eq!(described(&[], Some("*")), "rtsp://cam:8554/live?token=x");
        let location = ("Content-Location", "rtsp://cam/b/");
        assert_eq!(described(&[location], None), "rtsp://cam/b/");
        let both = [location, ("Content-Base", "rtsp://cam/a/")];
        assert_eq!(described(&both, Some("*")), "rtsp://cam/a/");
        assert_eq!(described(&both, Some("RTSP://cam/c")), "RTSP://cam/c");
        assert_eq!(
            base(&both, Some("rtsp://cam/c"), BaseUrlPolicy::Request),
            "rtsp://cam:8554/live?token=x"
        );
    }

    #[test]
    fn a_base_without_scheme_or_host_is_mended() {
        let of = |value| base(&[("Content-Base", value)], None, BaseUrlPolicy::AsDescribed);
        assert_eq!(
            of("192.168.1.10:554/stream0/"),
            "rtsp://192.168.1.10:554/stream0/"
        );
        assert_eq!(of("/stream0/"), "rtsp://cam:8554/stream0/");
        for nonsense in ["", " ", "stream0"] {
            assert_eq!(of(nonsense), "rtsp://cam:8554/live?token=x", "{nonsense:?}");
        }
    }

    #[test]
    fn control_urls_are_put_behind_their_base() {
        for (base, control, expected) in [
            ("rtsp://h/a/", "trackID=1", "rtsp://h/a/trackID=1"),
            ("rtsp://h/a", "trackID=1", "rtsp://h/a/trackID=1"),
            ("rtsp://h/a/", "/trackID=1", "rtsp://h/a/trackID=1"),
            ("rtsp://h/a", "/trackID=1", "rtsp://h/a/trackID=1"),
            ("rtsp://h/a", "?ctype=video", "rtsp://h/a?ctype=video"),
            ("rtsp://h/a?x=1", "trackID=1", "rtsp://h/a?x=1/trackID=1"),
            ("rtsp://h/a", "rtsp://i/b", "rtsp://i/b"),
            ("rtsp://h/a", "*", "rtsp://h/a"),
            ("rtsp://h/a", "", "rtsp://h/a"),
        ] {
            assert_eq!(resolve(base, control), expected, "{base} {control}");
        }
    }
}
