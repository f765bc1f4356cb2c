//! What happened to a billing template, and what one says.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Refused;
use crate::{
    Recordable,
    calendar::{self, PeriodUnit, Tz},
    id::{BillingTemplateId, SubscriptionId},
    purchase::{self, Details, Order, Origin},
    subscriber::{Choices, Rhythm},
};

/// What a template says: the purchase it makes, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    pub brand_id: Uuid,
    #[serde(default)]
    pub title: String,
    pub details: Details,
    /// Keep the means of payment for later charges without asking.
    #[serde(default)]
    pub force_recurring: bool,
    pub kind: Kind,
}

/// Fixed when the template is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    OneOff(OneOff),
    Recurring(Recurring),
}

/// An invoice is sent whenever that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneOff {
    /// The day of the sending where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued: Option<NaiveDate>,
    pub due: DateTime<Utc>,
    #[serde(default)]
    pub skip_capture: bool,
    pub send_receipt: bool,
}

/// Subscribers get a purchase a period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recurring {
    pub rhythm: Rhythm,
    /// How long after it was made a purchase is due, in `due_unit`.
    pub due_period: u32,
    pub due_unit: PeriodUnit,
    /// Nobody is billed while it is not.
    pub active: bool,
    /// How many purchases a subscriber gets; without end where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycles: Option<u32>,
}

impl Template {
    pub fn recurring(&self) -> Option<&Recurring> {
        match &self.kind {
            Kind::Recurring(recurring) => Some(recurring),
            Kind::OneOff(_) => None,
        }
    }

    /// The zone of the purchase, in whose days is counted.
    pub fn zone(&self) -> Option<Tz> {
        calendar::time_zone(&self.details.time_zone)
    }

    /// The order of one invoice sent now.
    pub fn invoice(&self, template: BillingTemplateId, at: DateTime<Utc>) -> Result<Order, Refused> {
        let Kind::OneOff(terms) = &self.kind else {
            return Err(Refused::WrongKind);
        };
        let zone = self.zone().ok_or(Refused::UnknownTimeZone)?;
        Ok(Order {
            origin: Origin::BillingInvoices,
            due: terms.due,
            issued: terms.issued.unwrap_or_else(|| calendar::local_date(at, zone)),
            skip_capture: terms.skip_capture,
            send_receipt: terms.send_receipt,
            ..self.order(template, at, zone)
        })
    }

    /// The order of a subscriber's period that is billed now.
    pub fn cycle(
        &self,
        template: BillingTemplateId,
        subscriber: SubscriptionId,
        choices: &Choices,
        at: DateTime<Utc>,
    ) -> Result<Order, Refused> {
        let terms = self.recurring().ok_or(Refused::WrongKind)?;
        let zone = self.zone().ok_or(Refused::UnknownTimeZone)?;
        Ok(Order {
            // No means of payment is kept yet: the client pays by hand.
            origin: Origin::BillingSubscriptionsInvoice,
            due: calendar::instant_after(at, zone, terms.due_unit, terms.due_period).ok_or(Refused::DueOutOfReach)?,
            reference: choices.invoice_reference.clone().unwrap_or_default(),
            send_receipt: choices.send_receipt,
            payment_methods: choices.payment_methods.clone(),
            subscriber: Some(subscriber),
            ..self.order(template, at, zone)
        })
    }

    fn order(&self, template: BillingTemplateId, at: DateTime<Utc>, zone: Tz) -> Order {
        Order {
            origin: Origin::BillingInvoices,
            brand_id: self.brand_id,
            details: self.details.clone(),
            due: at,
            issued: calendar::local_date(at, zone),
            reference: String::new(),
            skip_capture: false,
            send_receipt: false,
            force_recurring: self.force_recurring,
            payment_methods: None,
            billing_template: Some(template),
            subscriber: None,
        }
    }

    /// Whether purchases can be made of it.
    pub(super) fn check(&self, at: DateTime<Utc>) -> Result<(), Refused> {
        let skip_capture = match &self.kind {
            Kind::OneOff(terms) if terms.due <= at => return Err(purchase::Refused::DueInThePast.into()),
            Kind::OneOff(terms) => terms.skip_capture,
            Kind::Recurring(terms) if terms.rhythm.period == 0 || terms.due_period == 0 => {
                return Err(Refused::EmptyPeriod);
            }
            Kind::Recurring(_) => false,
        };
        self.zone().ok_or(Refused::UnknownTimeZone)?;
        purchase::payable(&self.details, skip_capture)?;
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    Created {
        at: DateTime<Utc>,
        template: BillingTemplateId,
        terms: Box<Template>,
    },
    Updated {
        at: DateTime<Utc>,
        terms: Box<Template>,
    },
    /// The first cycle of a subscriber has begun: the rhythm stays as it is.
    Launched {
        at: DateTime<Utc>,
    },
    Deleted {
        at: DateTime<Utc>,
    },
}

impl Recordable for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Created { .. } => "billing_template.created",
            Self::Updated { .. } => "billing_template.updated",
            Self::Launched { .. } => "billing_template.launched",
            Self::Deleted { .. } => "billing_template.deleted",
        }
    }
}
