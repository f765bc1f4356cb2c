//! A subscription that is signed, billed and changed in tests, and the history that comes of it.

use super::*;
use crate::{
    Decider,
    billing::{Kind, Price, Timing, Usage},
    calendar,
    catalog::PlanLine,
    policy::BillingPolicy,
};

pub fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A flat price by the period in advance.
pub fn flat(id: u128, amount: &str) -> PlanLine {
    PlanLine {
        id: LineId(Uuid::from_u128(id)),
        name: format!("line {id}"),
        kind: Kind::Recurring,
        timing: Timing::Advance,
        price: Price::Flat {
            amount: amount.parse().unwrap(),
        },
        quantity: 1.into(),
        flat_fee: true,
        prorate: true,
        tax_rate: None,
    }
}

pub fn contract(lines: Vec<PlanLine>, activation: &str) -> Agreement {
    Agreement {
        customer: CustomerId(Uuid::from_u128(2)),
        plan: None,
        currency: Currency::EUR,
        cycle: Cycle::Month,
        activation: date(activation),
        status: Status::Active,
        terms: Terms::Contract {
            invoicing: InvoicingPreferences::default(),
        },
        order: None,
        offer: Some(Box::new(Offer {
            lines,
            ..Offer::default()
        })),
        phases: Vec::new(),
        trial_end: None,
        time_zone: None,
        moved_from: None,
        upgraded_from: None,
        usage_from: None,
        under_way: std::collections::BTreeSet::new(),
        goes_on_from: None,
        counted: Vec::new(),
        paid_before: std::collections::BTreeMap::new(),
        rest_before: std::collections::BTreeMap::new(),
        invoice_calendar: None,
        proration: None,
        policy: Some(BillingPolicy::default()),
    }
}

/// An order of one recurring line.
pub fn order(price: &str, start: &str, billing: OrderBillingPreferences) -> Agreement {
    let line = OrderLine {
        id: LineId(Uuid::from_u128(7)),
        item: "ITEM-1".to_owned(),
        name: None,
        quantity: 1.into(),
        price: price.parse().unwrap(),
        charge_type: ChargeType::Recurring,
        tax: None,
    };
    Agreement {
        cycle: billing.billing_period.cycle(),
        terms: Terms::Order {
            billing: Box::new(billing),
        },
        order: Some(Box::new(OrderDetails {
            number: "ORD-1".to_owned(),
            account: "EXAMPL".to_owned(),
            name: None,
            price_tax_inclusive: false,
            lines: vec![line],
            line_billing: std::collections::BTreeMap::new(),
            billing_start: None,
            tax_level: crate::billing::TaxLevel::default(),
        })),
        offer: None,
        ..contract(Vec::new(), start)
    }
}

#[derive(Default)]
pub struct Books {
    pub subscription: Subscription,
    pub history: Vec<Event>,
    invoices: u128,
}

impl Books {
    pub fn sign(agreement: Agreement, at: &str) -> Self {
        let mut books = Self::default();
        let signed = books.send(&Command::Sign {
            at: instant(at),
            subscription: SubscriptionId(Uuid::from_u128(1)),
            agreement: Box::new(agreement),
        });
        signed.unwrap();
        books
    }

    /// What is refused changes nothing.
    pub fn send(&mut self, command: &Command) -> Result<Vec<Event>, Refused> {
        let events = self.subscription.decide(command)?;
        for event in &events {
            self.subscription.apply(event);
        }
        self.history.extend_from_slice(&events);
        Ok(events)
    }

    /// Bills everything due by then, moment by moment; what belongs on invoices is put there.
    pub fn bill_at(&mut self, until: DateTime<Utc>) -> Vec<Charge> {
        let mut all = Vec::new();
        while let Some(moment) = self.next().filter(|next| *next <= until) {
            let usage = Box::new(Usage::default());
            let (at, until) = (until, moment);
            for event in self.send(&Command::Accrue { at, until, usage }).unwrap() {
                let Event::Accrued { charges, invoicing, .. } = event else {
                    continue;
                };
                all.extend(charges);
                if invoicing {
                    self.invoice(at);
                }
            }
        }
        all
    }

    /// On the morning of a local day.
    pub fn bill(&mut self, day: &str) -> Vec<String> {
        let zone = self.subscription.agreement().unwrap().zone();
        let charges = self.bill_at(calendar::midnight(date(day), zone).unwrap());
        charges.iter().map(line).collect()
    }

    pub fn next(&self) -> Option<DateTime<Utc>> {
        self.subscription.progress().unwrap().next_billing
    }

    pub fn invoice(&mut self, at: DateTime<Utc>) {
        for automatic in [false, true] {
            let pending = self.subscription.pending();
            let charges: Vec<_> = pending
                .filter(|charge| charge.automatic_payment == automatic)
                .map(|charge| charge.id)
                .collect();
            if !charges.is_empty() {
                self.invoices += 1;
                let invoice = InvoiceId(Uuid::from_u128(self.invoices));
                self.send(&Command::InvoiceCharges { at, invoice, charges }).unwrap();
            }
        }
    }
}

/// `10-01->11-01 29.00`
pub fn line(charge: &Charge) -> String {
    let day = |date: NaiveDate| date.format("%m-%d");
    let end = charge.period.end.map_or("open".to_owned(), |end| day(end).to_string());
    format!("{}->{end} {}", day(charge.period.start), charge.amount)
}
