//! Credit that is given, payments that come in, and collections that end one way or the other, at our own door.

use rand::{Rng, seq::IndexedRandom};
use serde_json::json;

use super::{Call, Teaches, World, call};
use crate::support::doors::Door;

impl World {
    pub(super) fn gift(&mut self) -> Option<Call> {
        let (customer, currency) = self.payer()?;
        Some(self.gift_to(&customer, currency))
    }

    /// A customer or an account, and its currency.
    fn payer(&mut self) -> Option<(String, &'static str)> {
        let customers = self.customers.iter().map(|customer| (customer.clone(), "EUR"));
        let accounts = self.accounts.iter().map(|(_, id)| (id.clone(), "AUD"));
        let payers: Vec<_> = customers.chain(accounts).collect();
        self.favoured(&payers)
    }

    fn gift_to(&mut self, customer: &str, currency: &str) -> Call {
        let body = json!({"amount": self.amount(), "currency": currency, "reason": "goodwill"});
        let path = format!("/billstream/v1/customers/{customer}/credit");
        call(Door::Own, path, body, Teaches::Nothing)
    }

    /// What uses the credit of one customer, and what grants it, to be sent at once.
    pub fn rush(&mut self) -> Vec<Call> {
        let Some((payer, currency)) = self.payer() else {
            return Vec::new();
        };
        let mut calls = vec![self.gift_to(&payer, currency), self.gift_to(&payer, currency)];
        for contract in &self.contracts {
            let body = json!({"contract_id": contract});
            calls.push(call(Door::Wingback, "/v1/c/invoice", body, Teaches::Nothing));
        }
        for order in &self.orders {
            let path = format!("/api/v3/orders/{}/invoices", order.number);
            calls.push(call(Door::Exsited, path, json!({}), Teaches::Nothing));
        }
        calls.extend(self.payment());
        calls.extend(self.collected());
        calls
    }

    pub(super) fn discount(&mut self) -> Call {
        let mut body = json!({"name": "Discount"});
        if !self.one_in(3) {
            body["percent"] = self.one_of(&["10", "33.3", "100"]).into();
        }
        if body["percent"].is_null() || self.one_in(3) {
            (body["fixed"], body["currency"]) = (self.one_of(&["5", "0.99"]).into(), "EUR".into());
        }
        call(Door::Own, "/billstream/v1/discounts", body, Teaches::Discount)
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
