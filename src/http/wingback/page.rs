//! Keyset pages as this dialect shows them: opaque cursors, a direction, and page numbers for people.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use projections::page::{Order, Page};

use super::{
    error::{Error, Result},
    wire::{PageQuery, Paginated},
};

// UNCONFIRMED: the size of a page that nobody asked for, and the largest one.
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

/// Where a page begins: beyond a sort position, in a direction. `page` is the number the page will have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cursor {
    direction: Direction,
    position: i64,
    page: i64,
}

impl Cursor {
    const START: Self = Self {
        direction: Direction::Forward,
        position: i64::MIN,
        page: 1,
    };

    fn print(self) -> String {
        let letter = match self.direction {
            Direction::Forward => 'f',
            Direction::Backward => 'b',
        };
        URL_SAFE_NO_PAD.encode(format!("{letter}.{}.{}", self.position, self.page))
    }

    fn parse(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let mut parts = text.split('.');
        let cursor = Self {
            direction: match parts.next()? {
                "f" => Direction::Forward,
                "b" => Direction::Backward,
                _ => return None,
            },
            position: parts.next()?.parse().ok()?,
            page: parts.next()?.parse().ok().filter(|page| *page >= 1)?,
        };
        parts.next().is_none().then_some(cursor)
    }
}

/// The page a caller asked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    limit: usize,
    cursor: Cursor,
}

impl Wanted {
    pub fn read(query: &PageQuery) -> Result<Self> {
        let limit = match query.limit.as_deref() {
            None => DEFAULT_LIMIT,
            Some(text) => text
                .parse::<i32>()
                .ok()
                .and_then(|limit| usize::try_from(limit).ok())
                .ok_or_else(|| Error::bad("limit", "a whole number from 0 to 2147483647 is needed"))?
                .min(MAX_LIMIT),
        };
        let cursor = match query.offset.as_deref().filter(|text| !text.is_empty()) {
            None => None,
            Some(text) => Some(Cursor::parse(text).ok_or_else(|| Error::bad("offset", "not a cursor of this list"))?),
        };
        let direction = match query.direction.as_deref() {
            None => None,
            Some("forward") => Some(Direction::Forward),
            Some("backward") => Some(Direction::Backward),
            Some(other) => {
                let known = format!("unknown variant `{other}`, expected `forward` or `backward`");
                return Err(Error::bad("direction", known));
            }
        };
        let cursor = match (cursor, direction) {
            (None, Some(Direction::Backward)) => Cursor {
                direction: Direction::Backward,
                position: i64::MAX,
                page: i64::MAX,
            },
            (None, _) => Cursor::START,
            (Some(cursor), None) => cursor,
            (Some(cursor), Some(direction)) => Cursor { direction, ..cursor },
        };
        Ok(Self { limit, cursor })
    }

    /// What to ask of the view, where the whole list has `total` rows: one row more than is shown, to know whether
    /// there are more. The last page, read from the end, is as short as it is when read from the start.
    pub fn query(&self, total: i64) -> Page {
        Page {
            limit: self.shown(total) + 1,
            after: Some(self.cursor.position),
            order: match self.cursor.direction {
                Direction::Forward => Order::OldestFirst,
                Direction::Backward => Order::NewestFirst,
            },
        }
    }

    fn shown(&self, total: i64) -> usize {
        let total = usize::try_from(total).unwrap_or_default();
        if self.cursor.direction == Direction::Backward && self.cursor.position == i64::MAX && self.limit > 0 {
            match total % self.limit {
                0 => self.limit,
                rest => rest,
            }
        } else {
            self.limit
        }
    }

    /// The answer, from the rows that [`Wanted::query`] gave and where each stands.
    pub fn answer<T, U>(
        &self,
        total: i64,
        mut rows: Vec<T>,
        position: impl Fn(&T) -> i64,
        show: impl Fn(&T) -> U,
    ) -> Paginated<U> {
        let shown = self.shown(total);
        let more = rows.len() > shown;
        rows.truncate(shown);
        let backward = self.cursor.direction == Direction::Backward;
        if backward {
            rows.reverse();
        }
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let total_pages = if limit == 0 {
            0
        } else {
            total.div_euclid(limit) + i64::from(total % limit != 0)
        };
        let current_page = self.cursor.page.clamp(1, total_pages.max(1));
        let earlier = if backward {
            more
        } else {
            self.cursor.position != i64::MIN && !rows.is_empty()
        };
        let later = if backward {
            self.cursor.position != i64::MAX
        } else {
            more
        };
        let cursor = |direction, position, page: i64| {
            let page = page.max(1);
            Cursor {
                direction,
                position,
                page,
            }
            .print()
        };
        let (first_row, last_row) = (rows.first().map(&position), rows.last().map(&position));
        Paginated {
            hits: rows.iter().map(show).collect(),
            total,
            total_pages,
            current_page,
            first: (total > 0).then(|| Cursor::START.print()),
            last: (total > 0).then(|| cursor(Direction::Backward, i64::MAX, total_pages)),
            forward: last_row
                .filter(|_| later)
                .map(|row| cursor(Direction::Forward, row, current_page + 1)),
            backward: first_row
                .filter(|_| earlier)
                .map(|row| cursor(Direction::Backward, row, current_page - 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list 1..=total as the view would give it.
    fn fetch(wanted: &Wanted, total: i64) -> Paginated<i64> {
        let page = wanted.query(total);
        let beyond = page.after.expect("a position");
        let rows: Vec<i64> = match page.order {
            Order::OldestFirst => (1..=total).filter(|n| *n > beyond).take(page.limit).collect(),
            Order::NewestFirst => (1..=total).rev().filter(|n| *n < beyond).take(page.limit).collect(),
        };
        wanted.answer(total, rows, |n| *n, |n| *n)
    }

    fn wanted(limit: usize, offset: Option<String>) -> Wanted {
        let query = PageQuery {
            limit: Some(limit.to_string()),
            offset,
            direction: None,
        };
        Wanted::read(&query).expect("a page")
    }

    fn walk(limit: usize, total: i64, start: Option<String>, next: fn(&Paginated<i64>) -> Option<String>) -> Vec<i64> {
        let (mut seen, mut offset) = (Vec::new(), start);
        loop {
            let page = fetch(&wanted(limit, offset), total);
            let size = i64::try_from(limit).expect("small");
            if let Some(first) = page.hits.first() {
                assert_eq!(
                    page.current_page,
                    (first - 1) / size + 1,
                    "limit {limit}, total {total}"
                );
            }
            seen.extend(&page.hits);
            offset = next(&page);
            if offset.is_none() {
                return seen;
            }
        }
    }

    #[test]
    fn every_row_is_shown_once_in_both_directions_for_all_sizes() {
        for total in 0..12 {
            for limit in 1..6 {
                let all: Vec<i64> = (1..=total).collect();
                assert_eq!(walk(limit, total, None, |page| page.forward.clone()), all);
                let last = fetch(&wanted(limit, None), total).last;
                let mut back = walk(limit, total, last, |page| page.backward.clone());
                back.sort_unstable();
                assert_eq!(back, all);
            }
        }
    }

    #[test]
    fn a_page_without_room_still_tells_how_many_there_are() {
        let page = fetch(&wanted(0, None), 3);
        assert_eq!(
            (page.hits.len(), page.total, page.total_pages, page.current_page),
            (0, 3, 0, 1)
        );
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["1", "abc", "Zi4xLjA", "Zi4x", "x.1.1"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
        assert_eq!(Cursor::parse(&Cursor::START.print()), Some(Cursor::START));
    }
}
