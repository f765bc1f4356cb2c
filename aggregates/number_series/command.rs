//! What can be asked of a number series.

#[derive(Clone, Debug)]
pub enum Command {
    /// Take the next number for a document.
    TakeNumber { for_document: String },
}
