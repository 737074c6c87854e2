//! The signature of a request to an object store (AWS Signature Version 4).

use ring::digest::{SHA256, digest};
use ring::hmac::{HMAC_SHA256, Key, sign};

use super::content::hex;

/// Who asks, and of which region.
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: String,
    /// Of keys that are valid for a while.
    pub(super) token: Option<String>,
    pub(super) region: String,
}

/// A request, as far as it is signed.
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    /// Percent-encoded.
    pub(super) path: &'a str,
    /// Lower-case names in their order, each with its value.
    pub(super) headers: &'a [(&'a str, &'a str)],
    /// SHA-256 of the body, in hex.
    pub(super) sha256: &'a str,
    /// As `20130524T000000Z`.
    pub(super) time: &'a str,
}

impl Keys {
    /// The value of the header `authorization`.
    pub(super) fn authorization(&self, request: &Signed<'_>) -> String {
        let Signed { method, path, headers, sha256, time } = request;
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let canonical = format!("{method}\n{path}\n\n{lines}\n{names}\n{sha256}");
        let day = time.split('T').next().unwrap_or_default();
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let hash = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
        let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
        let first = format!("AWS4{}", self.secret).into_bytes();
        let parts = [day, &self.region, "s3", "aws4_request", &text];
        let signature = parts.iter().fold(first, |key, part| {
            sign(&Key::new(HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec()
        });
        let (id, signature) = (&self.id, hex(&signature));
        format!(
            "AWS4-HMAC-SHA256 Credential={id}/{scope},SignedHeaders={names},Signature={signature}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the store's documentation.
    #[test]
    fn a_request_is_signed_as_documented() {
        let keys = Keys {
            id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            token: None,
            region: "us-east-1".into(),
        };
        let (host, time) = (("host", "examplebucket.s3.amazonaws.com"), "20130524T000000Z");
        let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let get = keys.authorization(&Signed {
            method: "GET",
            path: "/test.txt",
            headers: &[
                host,
                ("range", "bytes=0-9"),
                ("x-amz-content-sha256", nothing),
                ("x-amz-date", time),
            ],
            sha256: nothing,
            time,
        });
        assert_eq!(
            get,
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
             Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        let body = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
        let put = keys.authorization(&Signed {
            method: "PUT",
            path: "/test%24file.text",
            headers: &[
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                host,
                ("x-amz-content-sha256", body),
                ("x-amz-date", time),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            sha256: body,
            time,
        });
        let signature = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd";
        assert!(put.ends_with(&format!("Signature={signature}")), "{put}");
    }
}
