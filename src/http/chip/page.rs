//! Lists, newest first: a page of them, and the URLs of the pages beside it.

use axum::{http::StatusCode, response::Response};
use projections::page::{Order, Page};
use serde_json::{Value, json};

use super::{
    auth::Call,
    error::{Failure, answer},
};

/// UNCONFIRMED: how many the vendor shows at once.
const PAGE: usize = 100;

/// The parameters of a query, as they were written.
pub fn parameters(query: Option<&str>) -> impl Iterator<Item = (&str, &str)> {
    let parameters = query.unwrap_or_default().split('&');
    parameters.filter_map(|parameter| parameter.split_once('='))
}

/// The page a query asks for, and one row more, to see whether it goes on. A cursor is a direction and the position it
/// starts from, both of which only lists read.
pub fn wanted(query: Option<&str>) -> Result<Page, Failure> {
    let cursor = parameters(query).find(|(name, _)| *name == "cursor");
    let (order, after) = match cursor {
        None => (Order::NewestFirst, None),
        Some((_, text)) => {
            let (order, after) = read_cursor(text).ok_or(Failure::NotFound)?;
            (order, Some(after))
        }
    };
    Ok(Page {
        limit: PAGE + 1,
        after,
        order,
    })
}

/// Shows what was found of a page. `filters` are the parameters of the query that the other pages need too.
pub fn show<T>(
    call: &Call,
    page: &Page,
    filters: &[(&str, String)],
    mut found: Vec<T>,
    position: impl Fn(&T) -> i64,
    item: impl Fn(&T) -> Value,
) -> Response {
    let more = found.len() > PAGE;
    found.truncate(PAGE);
    let (goes_on, began_before) = match page.order {
        Order::NewestFirst => (more, page.after.is_some()),
        Order::OldestFirst => {
            found.reverse();
            (true, more)
        }
    };
    let filters: String = filters.iter().map(|(name, value)| format!("&{name}={value}")).collect();
    let url = |sign: char, position: i64| format!("{}{}/?cursor={sign}{position}{filters}", call.origin, call.path);
    let next = found.last().filter(|_| goes_on).map(|last| url('o', position(last)));
    let previous = found
        .first()
        .filter(|_| began_before)
        .map(|first| url('n', position(first)));
    let results: Vec<Value> = found.iter().map(item).collect();
    answer(
        StatusCode::OK,
        &json!({"results": results, "next": next, "previous": previous}),
    )
}

fn read_cursor(text: &str) -> Option<(Order, i64)> {
    let order = match text.chars().next()? {
        'o' => Order::NewestFirst,
        'n' => Order::OldestFirst,
        _ => return None,
    };
    text.get(1..)?.parse().ok().map(|position| (order, position))
}
