//! What a tool answers, as a text for a model.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};

use crate::CallError;

/// The text, of at most so many bytes.
///
/// # Errors
/// [`CallError::Failed`] with the text, if the tool says that it failed.
pub(crate) fn text(result: &CallToolResult, max_bytes: usize) -> Result<String, CallError> {
    let mut parts: Vec<String> = result.content.iter().map(block).collect();
    if let (true, Some(value)) = (parts.is_empty(), &result.structured_content) {
        parts.push(value.to_string());
    }
    let text = cut(parts.join("\n"), max_bytes);
    match result.is_error {
        Some(true) => Err(CallError::Failed(text)),
        _ => Ok(text),
    }
}

fn block(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => {
            format!("[an image, {}, which is not shown]", image.mime_type)
        }
        ContentBlock::Audio(audio) => format!("[a sound, {}, which is not heard]", audio.mime_type),
        ContentBlock::Resource(resource) => match &resource.resource {
            ResourceContents::TextResourceContents { text, .. } => text.clone(),
            ResourceContents::BlobResourceContents { uri, .. } => {
                format!("[data at {uri}, which is not shown]")
            }
            _ => "[a resource of an unknown kind]".to_owned(),
        },
        ContentBlock::ResourceLink(link) => format!("[{}]", link.uri),
        _ => "[something of an unknown kind]".to_owned(),
    }
}

/// The beginning of a text, and how much is missing.
fn cut(mut text: String, max_bytes: usize) -> String {
    if text.len() > max_bytes {
        let end = (0..=max_bytes)
            .rev()
            .find(|&end| text.is_char_boundary(end))
            .unwrap_or(0);
        let missing = text.len() - end;
        text.truncate(end);
        text += &format!("\n[cut: {missing} bytes more]");
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn results_become_text() {
        let result = CallToolResult::success(vec![
            ContentBlock::text("a"),
            ContentBlock::image("AAAA", "image/png"),
        ]);
        let text = text(&result, 1000).expect("no error");
        assert_eq!(text, "a\n[an image, image/png, which is not shown]");
        let result = CallToolResult::error(vec![ContentBlock::text("no")]);
        assert!(matches!(super::text(&result, 10), Err(CallError::Failed(text)) if text == "no"));
        let result = CallToolResult::structured(json!({ "x": 1 }));
        assert!(
            super::text(&result, 1000)
                .expect("no error")
                .contains("\"x\":1")
        );
    }

    #[test]
    fn long_results_are_cut_between_characters() {
        assert_eq!(cut("äöü".to_owned(), 3), "ä\n[cut: 4 bytes more]");
        assert_eq!(cut("äöü".to_owned(), 6), "äöü");
    }
}
