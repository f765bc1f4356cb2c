//! Invoices as they are read.

use std::collections::HashMap;

use aggregates::{
    billing::Explanation,
    id::{InvoiceId, LineId, TenantId},
};
use projections::{
    invoice::{Filter, InvoiceView, LineView},
    page::Page,
};

use crate::{
    app::{App, origins::LineOrigin},
    journal::CommandError,
};

/// A line of an invoice, and how its amount came to be, where it was computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedLine {
    pub line: LineView,
    pub explanation: Option<Explanation>,
    /// The line of the subscription it is for, where it is for one.
    pub of: Option<LineId>,
    pub origin: Option<LineOrigin>,
}

impl App {
    /// An invoice with its lines.
    pub async fn invoice(
        &self,
        tenant: &TenantId,
        id: InvoiceId,
    ) -> Result<Option<(InvoiceView, Vec<LineView>)>, CommandError> {
        let views = self.journal.views();
        let Some(invoice) = projections::invoice::invoice(views, tenant, id).await? else {
            return Ok(None);
        };
        let lines = projections::invoice::lines(views, tenant, id).await?;
        Ok(Some((invoice, lines)))
    }

    /// An invoice with its lines, how each came to be, and of which events.
    pub async fn traced_invoice(
        &self,
        tenant: &TenantId,
        id: InvoiceId,
    ) -> Result<Option<(InvoiceView, Vec<ExplainedLine>)>, CommandError> {
        let Some((invoice, mut lines)) = self.explained_invoice(tenant, id).await? else {
            return Ok(None);
        };
        let views: Vec<LineView> = lines.iter().map(|explained| explained.line.clone()).collect();
        let mut origins = self.origins(tenant, &invoice, &views).await?;
        for line in &mut lines {
            line.origin = origins.remove(&line.line.charge);
        }
        Ok(Some((invoice, lines)))
    }

    /// An invoice with its lines, and how each came to be.
    pub async fn explained_invoice(
        &self,
        tenant: &TenantId,
        id: InvoiceId,
    ) -> Result<Option<(InvoiceView, Vec<ExplainedLine>)>, CommandError> {
        let views = self.journal.views();
        let Some((invoice, lines)) = self.invoice(tenant, id).await? else {
            return Ok(None);
        };
        let charges = projections::subscription::charges_of(views, tenant, id).await?;
        let mut charges: HashMap<_, _> = charges.into_iter().map(|charge| (charge.id, charge)).collect();
        let explained = |line: LineView| {
            let charge = charges.remove(&line.charge);
            ExplainedLine {
                of: charge.as_ref().and_then(|charge| charge.line),
                explanation: charge.and_then(|charge| charge.explanation),
                origin: None,
                line,
            }
        };
        Ok(Some((invoice, lines.into_iter().map(explained).collect())))
    }

    /// A page of the invoices that the filter lets through, in order of their creation.
    pub async fn invoices(
        &self,
        tenant: &TenantId,
        filter: &Filter,
        page: &Page,
    ) -> Result<Vec<InvoiceView>, CommandError> {
        Ok(projections::invoice::invoices(self.journal.views(), tenant, filter, page).await?)
    }

    pub async fn count_invoices(&self, tenant: &TenantId, filter: &Filter) -> Result<i64, CommandError> {
        Ok(projections::invoice::count(self.journal.views(), tenant, filter).await?)
    }
}
