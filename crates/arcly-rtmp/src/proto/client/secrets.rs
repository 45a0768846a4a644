//! What of ours a server may repeat, and must not reach a log.

use super::url::RtmpUrl;
use percent_encoding::percent_decode_str;

/// What stands for a secret.
const HIDDEN: &str = "…";

/// Shorter texts are hidden only together with what is around them: alone they are no secret, and would tear words apart.
const MIN_BYTES: usize = 4;

/// A server's words without our secrets: the stream and its name, the queries of stream and application and each value in them, user
/// and password, and `authentication`, which is what was added to the application to prove these. Each as it was sent, and
/// percent-decoded.
pub(super) fn hide(text: &str, url: &RtmpUrl, authentication: &str) -> String {
    let mut secrets = Vec::new();
    let mut add = |secret: &str, min: usize| {
        let decoded = percent_decode_str(secret).decode_utf8_lossy();
        for form in [secret, &decoded] {
            if form.len() >= min.max(1) {
                secrets.push(form.to_owned());
            }
        }
    };
    if let Some((user, password)) = url.credentials() {
        // Of any length: even one character of a password is more than a log should have.
        add(user, 1);
        add(password, 1);
    }
    add(url.stream(), 1);
    add(
        url.stream().split('?').next().unwrap_or_default(),
        MIN_BYTES,
    );
    for sent in [url.stream(), url.app(), authentication] {
        let Some((_, query)) = sent.split_once('?') else {
            continue;
        };
        add(query, 1);
        for pair in query.split('&') {
            let (_, value) = pair.split_once('=').unwrap_or(("", pair));
            add(pair, MIN_BYTES);
            add(value, MIN_BYTES);
        }
    }
    // The longest first: a shorter one within it would leave the rest of it to be read.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let hide = |text: String, secret: &String| text.replace(secret, HIDDEN);
    secrets.iter().fold(text.to_owned(), hide)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn url(text: &str) -> RtmpUrl {
        text.parse().expect("a usable URL")
    }

    #[test]
    fn values_are_hidden_wherever_they_stand() {
        let url = url("rtmp://bob:p%40ss@h/live/cam1?token=s3cret&x=%C3%A9t%C3%A9")
            .with_app("live?auth=appkey&flag");
        let shown = |text| hide(text, &url, "?authmod=adobe&user=bob&response=pr00f==");
        assert_eq!(shown("token s3cret expired"), "token … expired");
        assert_eq!(shown("no cam1 for bob:p@ss"), "no … for …:…");
        assert_eq!(shown("été or %C3%A9t%C3%A9"), "… or …");
        assert_eq!(shown("appkey, flag, pr00f=="), "…, …, …");
        assert_eq!(shown("live?auth=appkey&flag"), "live?…");
        assert_eq!(shown("cam1?token=s3cret&x=%C3%A9t%C3%A9"), "…");
    }

    #[test]
    fn what_is_empty_or_short_hides_nothing_else() {
        let none = url("rtmp://h/live/key").with_stream("");
        assert_eq!(hide("as it was", &none, ""), "as it was");
        let short = url("rtmp://h/a/b?t=1&u=");
        assert_eq!(hide("about t=1&u= and 1", &short, ""), "about … and 1");
    }

    proptest! {
        #[test]
        fn no_value_is_ever_left(value in "[a-z0-9]{4,12}", before in "[A-Z ]{0,9}", after in "[A-Z ]{0,9}") {
            let url = url(&format!("rtmp://h/live/CAM?token={value}"));
            let text = format!("{before}{value}{after}");
            let shown = hide(&text, &url, "");
            prop_assert!(!shown.contains(&value), "{}", shown);
        }
    }
}
