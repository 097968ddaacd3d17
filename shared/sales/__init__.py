"""Sales: from the ERP, or a dropped file, into SalesMetrics, reconciled to the cent (INC-01 to INC-10).

Read in this order: start, stage, publish; the rest are the parts they use.
"""
