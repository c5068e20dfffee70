//! Agreement of objective scores with human opinion: PLCC, SRCC, KRCC, RMSE, logistic fits, confidence intervals.
