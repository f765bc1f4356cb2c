//! Credit that is given, payments that come in, and collections that end one way or the other, at our own door.

use rand::{Rng, seq::IndexedRandom};
use serde_json::json;

use super::{Call, Teaches, World, call};
use crate::support::doors::Door;

impl World {
    pub(super) fn gift(&mut self) -> Option<Call> {
        let payers = [self.customers.as_slice(), self.accounts.as_slice()].concat();
        let customer = self.favoured(&payers)?;
        let currency = if self.accounts.contains(&customer) {
            "AUD"
        } else {
            "EUR"
        };
        let body = json!({"amount": self.amount(), "currency": currency, "reason": "goodwill"});
        let path = format!("/billstream/v1/customers/{customer}/credit");
        Some(call(Door::Own, path, body, Teaches::Nothing))
    }

    pub(super) fn payment(&mut self) -> Option<Call> {
        let invoice = self.favoured(&self.invoices.clone())?;
        let reference = format!("transfer-{}", self.rng.random_range(0..50));
        let body = json!({"amount": self.amount(), "reference": reference});
        let path = format!("/billstream/v1/invoices/{invoice}/payments");
        Some(call(Door::Own, path, body, Teaches::Nothing))
    }

    /// Whoever collects says how it went: mostly once, now and then both.
    pub(super) fn collected(&mut self) -> Option<Call> {
        let payment = self.collections.choose(&mut self.rng)?.clone();
        let (how, body) = if self.one_in(3) {
            ("failed", json!({"reason": "no funds"}))
        } else {
            ("succeeded", json!({"reference": format!("charge-{payment}")}))
        };
        let path = format!("/billstream/v1/payments/{payment}/{how}");
        Some(call(Door::Own, path, body, Teaches::Nothing))
    }
}
