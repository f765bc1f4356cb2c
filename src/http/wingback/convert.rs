//! From this dialect's words to the domain's, and back.

use aggregates::{
    calendar::{self, PeriodUnit},
    customer::{self, Contact, Profile},
    invoice::printed_number,
    money::Currency,
    preferences::InvoicingChanges,
    subscription::{Cycle, Status},
    terms::{self, UsagePeriodClosing},
};
use chrono::{DateTime, NaiveDate, Utc};
use projections::{
    customer::CustomerView, invoice::InvoiceView, payment, subscription::SubscriptionView, tenant::TenantView,
};

use super::{
    error::{Error, Result},
    id::Id,
    item::item,
    wire,
};
use crate::app::invoicing::invoices::ExplainedLine;

macro_rules! same_words {
    ($wire:ty = $domain:ty { $($word:ident),+ $(,)? }) => {
        impl From<$wire> for $domain {
            fn from(word: $wire) -> Self {
                match word {
                    $(<$wire>::$word => Self::$word,)+
                }
            }
        }
        impl From<$domain> for $wire {
            fn from(word: $domain) -> Self {
                match word {
                    $(<$domain>::$word => Self::$word,)+
                }
            }
        }
    };
}

same_words!(
    wire::DueDatePolicy = terms::DueDatePolicy {
        StartOfPeriod,
        EndOfPeriod
    }
);
same_words!(
    wire::TriggerCycle = PeriodUnit {
        Day,
        Week,
        Month,
        Quarter,
        Year
    }
);
same_words!(
    wire::UsagePeriodClosingPolicy = UsagePeriodClosing {
        Automatic,
        Manual,
        After15Minutes,
        After1Hour,
        After1Day
    }
);
same_words!(
    wire::Cycle = Cycle {
        Once,
        Hour,
        Day,
        Week,
        Month,
        Quarter,
        Year,
        Constant
    }
);

impl From<wire::InvoiceTrigger> for terms::InvoiceTrigger {
    fn from(trigger: wire::InvoiceTrigger) -> Self {
        match trigger {
            wire::InvoiceTrigger::Immediate => Self::Immediate,
            wire::InvoiceTrigger::Manual => Self::Manual,
            wire::InvoiceTrigger::Periodic(rule) => Self::Periodic(terms::PeriodRule {
                unit: rule.cycle.into(),
                count: rule.cycle_count,
                offset_days: rule.cycle_start_offset,
            }),
        }
    }
}

impl From<terms::InvoiceTrigger> for wire::InvoiceTrigger {
    fn from(trigger: terms::InvoiceTrigger) -> Self {
        match trigger {
            terms::InvoiceTrigger::Immediate => Self::Immediate,
            terms::InvoiceTrigger::Manual => Self::Manual,
            terms::InvoiceTrigger::Periodic(rule) => Self::Periodic(wire::UnboundedPeriodRule {
                cycle: rule.unit.into(),
                cycle_count: rule.count,
                cycle_start_offset: rule.offset_days,
            }),
        }
    }
}

pub fn changes(body: &wire::InvoicingPreferences) -> InvoicingChanges {
    InvoicingChanges {
        automatic_payment: body.automatic_payment,
        due_date_policy: body.due_date_policy.map(Into::into),
        flat_fee_due_date_policy: body.flat_fee_due_date_policy.map(Into::into),
        invoice_trigger: body.invoice_trigger.map(Into::into),
        usage_period_closing: body.usage_period_closing_policy.map(Into::into),
    }
}

pub fn preferences(now: &terms::InvoicingPreferences) -> wire::InvoicingPreferences {
    wire::InvoicingPreferences {
        automatic_payment: Some(now.automatic_payment),
        due_date_policy: Some(now.due_date_policy.into()),
        flat_fee_due_date_policy: Some(now.flat_fee_due_date_policy.into()),
        invoice_trigger: Some(now.invoice_trigger.into()),
        usage_period_closing_policy: Some(now.usage_period_closing.into()),
    }
}

pub fn lower(currency: Currency) -> String {
    currency.code().to_ascii_lowercase()
}

pub fn date(topic: &str, text: &str) -> Result<NaiveDate> {
    calendar::iso_date(text).ok_or_else(|| Error::bad(topic, format!("\"{text}\" is not a date such as 2026-10-31")))
}

pub fn contract_status(contract: &SubscriptionView, now: DateTime<Utc>) -> &'static str {
    match contract.status {
        Status::Pending => "pending",
        Status::Active if contract.activation > now.date_naive() => "scheduled",
        Status::Active => "active",
        // UNCONFIRMED: the vendor's word for a contract that is not billed for a while.
        Status::Paused => "paused",
        Status::Cancelled => "canceled",
    }
}

/// UNCONFIRMED: how an invoice is called that is not to be paid any more.
const VOIDED: &str = "voided";

pub fn invoice(view: &InvoiceView) -> wire::Invoice {
    wire::Invoice {
        id: Id(view.id),
        customer_id: Id(view.customer),
        currency: lower(view.currency),
        // UNCONFIRMED: that these two are dates, not instants.
        date: view.issue_date,
        due_date: view.due_date,
        // UNCONFIRMED: the word for an invoice that waits for its money; only `pending_validation` was ever seen.
        status: if view.voided.is_some() { VOIDED } else { "validated" },
        total: view.total.to_string(),
        invoice_number: wire::InvoiceNumber {
            number: printed_number(u64::try_from(view.number).unwrap_or_default()),
        },
        deposit_transaction_status: "not_processed",
        deposit_transaction_id: None,
        external_reference: None,
    }
}

pub fn listed_invoice(view: &InvoiceView, today: NaiveDate) -> wire::ListedInvoice {
    wire::ListedInvoice {
        invoice: invoice(view),
        detailed_invoice_status: if view.voided.is_some() {
            VOIDED
        } else if view.balance.minor == 0 {
            "paid"
        } else if view.due_date > today {
            "not_yet_due"
        } else {
            // UNCONFIRMED: the word for an invoice whose due date has come.
            "due"
        },
        payment_execution_provider: "self_handled",
        payment_execution_status: payment_execution_status(view),
    }
}

/// UNCONFIRMED: the words beyond `pending`.
fn payment_execution_status(view: &InvoiceView) -> &'static str {
    match view.collection {
        _ if view.voided.is_some() => "canceled",
        _ if view.balance.minor == 0 => "succeeded",
        Some(payment::Status::Failed) => "failed",
        Some(payment::Status::Requested | payment::Status::Succeeded | payment::Status::Withdrawn) | None => "pending",
    }
}

pub fn invoice_detail(
    view: &InvoiceView,
    lines: &[ExplainedLine],
    customer: wire::Customer,
    tenant: Option<TenantView>,
) -> wire::InvoiceDetail {
    let net = view.net.to_string();
    wire::InvoiceDetail {
        invoice: invoice(view),
        invoice_lines: lines
            .iter()
            .map(|explained| {
                let told = explained.explanation.as_ref();
                item(Some(view.id), view.currency, &explained.line, told)
            })
            .collect(),
        cost_summary: wire::CostSummary {
            currency: lower(view.currency),
            // UNCONFIRMED: whether discounts are taken off before the subtotal of all; here they are.
            subtotal: net.clone(),
            total_excluding_tax: net,
            tax_amount: view.tax.to_string(),
            total_including_tax: view.total.to_string(),
        },
        customer,
        // UNCONFIRMED: what is shown of the merchant, and the prefix of its id.
        wb_customer: tenant.map_or_else(
            || wire::WbCustomer {
                id: String::new(),
                name: String::new(),
            },
            |tenant| wire::WbCustomer {
                id: format!("WbCustomer_{}", tenant.company_id),
                name: tenant.name,
            },
        ),
        invoice_branding: wire::InvoiceBranding {},
        transactions: Vec::new(),
        payment_details: None,
    }
}

/// A customer input that was found good, to be laid over what is known.
pub fn merge_customer(input: &wire::CustomerInput, profile: &mut Profile, contact: &mut Contact) {
    fn lay<T: Clone>(over: &mut Option<T>, value: Option<&T>) {
        if let Some(value) = value {
            *over = Some(value.clone());
        }
    }
    lay(&mut contact.name, input.name.as_ref());
    lay(&mut contact.notes, input.notes.as_ref());
    lay(
        &mut contact.tax_number,
        input.tax_details.as_ref().and_then(|tax| tax.vat_id.as_ref()),
    );
    lay(&mut profile.reference, input.customer_reference.as_ref());
    lay(&mut profile.automatic_payment, input.automatic_payment.as_ref());
    // UNCONFIRMED: that a map which is sent replaces the whole map.
    if let Some(emails) = &input.emails {
        contact.emails.clone_from(emails);
    }
    if let Some(metadata) = &input.metadata {
        profile.metadata.clone_from(metadata);
    }
    if let Some(address) = &input.address {
        contact.address = Some(customer::Address {
            line_1: address.line_1.clone(),
            line_2: address.line_2.clone(),
            city: address.city.clone(),
            zip: address.zip.clone(),
            state: address.state.clone().filter(|state| !state.is_empty()),
            country: address.country.to_ascii_uppercase(),
        });
    }
}

/// Refuses what a customer cannot have.
pub fn check_customer(input: &wire::CustomerInput) -> Result<()> {
    for (purpose, email) in input.emails.iter().flatten() {
        if !customer::can_be_email(email) {
            let message = format!("\"{email}\" is not an e-mail address");
            return Err(Error::bad(format!("emails.{purpose}"), message));
        }
    }
    if let Some(address) = &input.address
        && !(address.country.len() == 2 && address.country.bytes().all(|c| c.is_ascii_alphabetic()))
    {
        let message = format!("\"{}\" is not a country code of two letters", address.country);
        return Err(Error::bad("address.country", message));
    }
    Ok(())
}

pub fn customer(view: &CustomerView, contracts: &[SubscriptionView], now: DateTime<Utc>) -> wire::Customer {
    let contact = view.contact.clone();
    wire::Customer {
        id: Id(view.id),
        created: view.created_at,
        // UNCONFIRMED: the vendor starts customers as `temporary`; here there is nothing to activate.
        status: if view.forgotten { "inactive" } else { "active" },
        name: contact.name,
        emails: contact.emails,
        address: contact.address.map(|address| wire::Address {
            line_1: address.line_1,
            line_2: address.line_2,
            city: address.city,
            zip: address.zip,
            state: address.state,
            country: address.country,
        }),
        tax_details: contact
            .tax_number
            .map(|number| wire::TaxDetails { vat_id: Some(number) }),
        customer_reference: view.profile.reference.clone(),
        notes: contact.notes,
        metadata: view.profile.metadata.clone(),
        automatic_payment: view.profile.automatic_payment,
        contracts: contracts
            .iter()
            .map(|contract| wire::CustomerContract {
                id: Id(contract.id),
                plan_id: contract.plan.map(Id),
                status: contract_status(contract, now),
                currency: lower(contract.currency),
                cycle: contract.cycle.into(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_words_are_the_vendors() {
        for (wire, json) in [
            (wire::UsagePeriodClosingPolicy::After15Minutes, "15 minutes"),
            (wire::UsagePeriodClosingPolicy::After1Hour, "1 hour"),
            (wire::UsagePeriodClosingPolicy::After1Day, "1 day"),
        ] {
            assert_eq!(serde_json::to_value(wire).expect("json"), json);
        }
        let trigger: wire::InvoiceTrigger =
            serde_json::from_value(json!({"periodic": {"cycle": "month", "cycle_count": 1, "cycle_start_offset": 13}}))
                .expect("a trigger");
        let terms::InvoiceTrigger::Periodic(rule) = trigger.into() else {
            panic!("{trigger:?}")
        };
        assert_eq!(
            (rule.unit, rule.count, rule.offset_days),
            (PeriodUnit::Month, 1, Some(13))
        );
    }

    proptest! {
        #[test]
        fn preferences_read_back_as_they_were_shown(automatic in any::<bool>(), start in any::<bool>(), count in 1u32.., offset in any::<Option<u32>>()) {
            let shown = terms::InvoicingPreferences {
                automatic_payment: automatic,
                due_date_policy: if start { terms::DueDatePolicy::StartOfPeriod } else { terms::DueDatePolicy::EndOfPeriod },
                invoice_trigger: terms::InvoiceTrigger::Periodic(terms::PeriodRule { unit: PeriodUnit::Quarter, count, offset_days: offset }),
                ..terms::InvoicingPreferences::default()
            };
            let text = serde_json::to_string(&preferences(&shown)).expect("json");
            let read = changes(&serde_json::from_str(&text).expect("preferences"));
            prop_assert_eq!(read.automatic_payment, Some(automatic));
            prop_assert_eq!(read.due_date_policy, Some(shown.due_date_policy));
            prop_assert_eq!(read.invoice_trigger, Some(shown.invoice_trigger));
            prop_assert_eq!(read.usage_period_closing, Some(shown.usage_period_closing));
        }
    }
}
