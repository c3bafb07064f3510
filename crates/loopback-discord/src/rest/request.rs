//! A request as routes see it: method, path in segments, query, JSON and files.

use std::collections::HashMap;
use std::str::FromStr;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::Request as HyperRequest;
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use serde_json::Value;

use crate::world::ApiError;
use crate::world::draft::Upload;

/// Bytes of a body: ten files of the size that bots may send.
const MAX_BODY: usize = 100 * 1024 * 1024;

/// A request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without `/api/v10` and query.
    pub(crate) path: String,
    pub(crate) query: HashMap<String, String>,
    /// Null if there is none.
    pub(crate) body: Value,
    pub(crate) files: Vec<Upload>,
    pub(crate) authorization: Option<String>,
}

impl Request {
    /// Reads a request to its end.
    pub(crate) async fn read(request: HyperRequest<Incoming>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path();
        let path = path.strip_prefix("/api").unwrap_or(path);
        let path = match path.strip_prefix("/v").and_then(|p| p.split_once('/')) {
            Some((version, rest)) if version.chars().all(|c| c.is_ascii_digit()) => format!("/{rest}"),
            _ => path.to_owned(),
        };
        let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let query = query.into_owned().collect();
        let collected = Limited::new(body, MAX_BODY).collect().await;
        let bytes = collected
            .map_err(|_| ApiError::form("body", "Request entity too large"))?
            .to_bytes();
        let (body, files) = read_body(&parts.headers, bytes).await?;
        Ok(Self {
            method: parts.method.to_string(),
            path,
            query,
            body,
            files,
            authorization: parts
                .headers
                .get(AUTHORIZATION)
                .and_then(|a| a.to_str().ok())
                .map(str::to_owned),
        })
    }

    /// The path in segments.
    pub(crate) fn segments(&self) -> Vec<&str> {
        self.path.split('/').filter(|s| !s.is_empty()).collect()
    }
}

async fn read_body(headers: &HeaderMap, bytes: Bytes) -> Result<(Value, Vec<Upload>), ApiError> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|t| t.to_str().ok())
        .unwrap_or_default();
    if let Ok(boundary) = multer::parse_boundary(kind) {
        return read_parts(bytes, boundary).await;
    }
    if bytes.is_empty() {
        return Ok((Value::Null, Vec::new()));
    }
    Ok((
        serde_json::from_slice(&bytes).map_err(|_| ApiError::InvalidJson)?,
        Vec::new(),
    ))
}

/// `payload_json` and the files of a multipart body.
async fn read_parts(bytes: Bytes, boundary: String) -> Result<(Value, Vec<Upload>), ApiError> {
    let once = futures_util::stream::once(async move { Ok::<_, std::io::Error>(bytes) });
    let mut parts = multer::Multipart::new(once, boundary);
    let (mut body, mut files) = (Value::Null, Vec::new());
    let broken = |_| ApiError::form("body", "Invalid multipart");
    while let Some(part) = parts.next_field().await.map_err(broken)? {
        match (part.name(), part.file_name().map(str::to_owned)) {
            (Some("payload_json"), _) => {
                let text = part.bytes().await.map_err(broken)?;
                body = serde_json::from_slice(&text).map_err(|_| ApiError::InvalidJson)?;
            }
            (_, Some(name)) => files.push(Upload {
                name,
                bytes: part.bytes().await.map_err(broken)?.to_vec(),
            }),
            _ => {
                return Err(ApiError::form(
                    "body",
                    "A part is neither payload_json nor a file",
                ));
            }
        }
    }
    if body.is_null() {
        body = Value::Object(serde_json::Map::new());
    }
    Ok((body, files))
}

/// An id in a path; what is no id names nothing.
pub(crate) fn id<T: FromStr>(segment: &str) -> Result<T, ApiError> {
    segment
        .parse()
        .map_err(|_| ApiError::form("id", format!("Value \"{segment}\" is not snowflake.")))
}
