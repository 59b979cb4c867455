"""Addresses of the usage pages, below ``/w/<workspace>/``."""

from django.urls import path

from usage import views

app_name = "usage"

urlpatterns = [
    path("overview/", views.overview, name="overview"),
    path("usage/", views.usage, name="usage"),
    path("usage/csv/", views.usage_csv, name="csv"),
    path("requests/", views.request_list, name="requests"),
    path("requests/<str:request_id>/", views.request_detail, name="request_detail"),
    path("requests/<str:request_id>/prompt/", views.request_prompt, name="request_prompt"),
    path("reports/", views.report_list, name="reports"),
    path("reports/<int:year>/<int:month>/", views.month_report, name="month"),
]
