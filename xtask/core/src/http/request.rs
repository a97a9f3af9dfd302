//! A request.

use super::url::Url;
use crate::secret::Secret;
use std::fmt;
use std::path::{Path, PathBuf};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

#[derive(Clone, Debug)]
pub struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: Vec<HttpHeader>,
    pub(super) body: Body,
}

#[derive(Clone, Debug)]
pub(super) struct HttpHeader {
    pub(super) name: String,
    pub(super) value: HeaderValue,
}

#[derive(Clone, Debug)]
pub(super) enum HeaderValue {
    Plain(String),
    /// Scheme (`token `, `Bearer `), secret, and the only origin that it is sent to. A redirect to
    /// another origin drops the header.
    Secret(String, Secret, Url),
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    None,
    Text {
        kind: String,
        text: String,
    },
    /// Fields of an HTML form. The last one is a secret.
    Fields {
        plain: Vec<(String, String)>,
        secret: (String, Secret),
    },
    /// A file as it is.
    File {
        kind: String,
        file: PathBuf,
    },
    /// One file as multipart/form-data.
    Form {
        field: String,
        file: PathBuf,
        name: String,
    },
}

impl Method {
    pub(super) fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }

    /// True if a second request has no further effect (RFC 9110, 9.2.2). PATCH is used so here.
    pub(super) fn repeatable(self) -> bool {
        self != Method::Post
    }
}

impl Request {
    pub fn new(method: Method, url: &Url) -> Request {
        Request { method, url: url.clone(), headers: Vec::new(), body: Body::None }
    }

    pub fn get(url: &Url) -> Request {
        Request::new(Method::Get, url)
    }

    pub fn header(mut self, name: &str, value: &str) -> Request {
        let value = HeaderValue::Plain(value.to_owned());
        self.headers.push(HttpHeader { name: name.to_owned(), value });
        self
    }

    /// `Authorization: SCHEME SECRET`, for a secret that the user gave to the origin of `owner`.
    /// [`super::Http::send`] sends it nowhere else.
    pub fn authorization(mut self, scheme: &str, secret: &Secret, owner: &Url) -> Request {
        let value = HeaderValue::Secret(format!("{scheme} "), secret.clone(), owner.clone());
        self.headers.push(HttpHeader { name: "Authorization".to_owned(), value });
        self
    }

    pub fn json(self, text: &str) -> Request {
        self.text("application/json", text)
    }

    /// A short body with its media type.
    pub fn text(mut self, kind: &str, text: &str) -> Request {
        self.body = Body::Text { kind: kind.to_owned(), text: text.to_owned() };
        self
    }

    /// Fields of an HTML form as the body. The last one is a secret.
    pub fn fields(mut self, plain: &[(&str, &str)], (name, secret): (&str, &Secret)) -> Request {
        let plain = plain.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self.body = Body::Fields { plain, secret: (name.to_owned(), secret.clone()) };
        self
    }

    /// A file as the body, with its media type. It is streamed.
    pub fn file(mut self, kind: &str, file: &Path) -> Request {
        self.body = Body::File { kind: kind.to_owned(), file: file.to_owned() };
        self
    }

    /// A file as `field` of a multipart/form-data body, with `name` as its file name. It is streamed.
    pub fn form_file(mut self, field: &str, file: &Path, name: &str) -> Request {
        self.body =
            Body::Form { field: field.to_owned(), file: file.to_owned(), name: name.to_owned() };
        self
    }

    /// Returns true if it goes to the same origin as `url`.
    pub fn is_to(&self, url: &Url) -> bool {
        self.url.same_origin(url)
    }

    /// The origin of a secret that does not belong to the request's own.
    pub(super) fn foreign_secret(&self) -> Option<&Url> {
        self.headers.iter().find_map(|header| match &header.value {
            HeaderValue::Secret(_, _, owner) if !owner.same_origin(&self.url) => Some(owner),
            _ => None,
        })
    }

    pub(super) fn has_secrets(&self) -> bool {
        self.headers.iter().any(|header| matches!(header.value, HeaderValue::Secret(..)))
            || matches!(self.body, Body::Fields { .. })
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.name(), self.url)
    }
}
