"""Addresses of the usage pages, below ``/w/<workspace>/``."""

from django.urls import URLPattern

app_name = "usage"

urlpatterns: list[URLPattern] = []
