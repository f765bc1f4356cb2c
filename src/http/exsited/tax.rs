//! Taxes of order lines, from the Exsited wire.

use aggregates::subscription::LineTax;

use super::fields::{PRICE_PLACES, Reader};

/// In percent: nothing is taxed higher, and what is would come to more than an invoice can hold.
const MOST: u32 = 1000;

/// What a call says of the tax on a line.
pub(super) enum Tax {
    Exempt,
    By(LineTax),
}

impl Tax {
    pub fn rate(self) -> Option<LineTax> {
        match self {
            Self::Exempt => None,
            Self::By(tax) => Some(tax),
        }
    }
}

/// `item_price_tax` with its rate in percent, unless the line is exempt. There are no records of taxes that would know
/// the rate of a name.
pub(super) fn read(line: &mut Reader<'_>) -> Option<Tax> {
    const EXEMPT: &str = "tax_exempt_when_sold";
    let says_so = line.value(EXEMPT).is_some_and(|value| !value.is_null());
    let exempt = says_so && line.boolean(EXEMPT) == Some(true);
    let sent = line.object("item_price_tax").filter(|sent| !sent.is_empty());
    let tax = sent.map(|sent| {
        let mut tax = Reader::at(sent, format!("{}item_price_tax.", line.place));
        let rate = tax.decimal("rate", PRICE_PLACES);
        if rate.is_none() && tax.errors.is_empty() {
            tax.wrong("rate", "required", "this is required, in percent");
        }
        if rate.is_some_and(|rate| rate > MOST.into()) {
            tax.wrong("rate", "invalid", "at most 1000 percent was expected");
        }
        let name = tax.text("name").or_else(|| tax.text("code"));
        line.errors.append(&mut tax.errors);
        LineTax {
            rate: rate.unwrap_or_default().normalize(),
            name,
        }
    });
    if exempt { Some(Tax::Exempt) } else { tax.map(Tax::By) }
}
