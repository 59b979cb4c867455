"""Addresses of the provider keys, below ``/w/<workspace>/byok/``."""

from django.urls import path

from keys.views import connect, detail, listing, rotation

app_name = "keys"

urlpatterns = [
    path("", listing.key_list, name="list"),
    path("new/<slug:provider>/", connect.configure, name="configure"),
    path("new/<slug:provider>/own/", connect.key_create, name="create"),
    path("<uuid:key_id>/", detail.key_detail, name="detail"),
    path("<uuid:key_id>/connected/", connect.key_connected, name="connected"),
    path("<uuid:key_id>/check/", detail.key_check, name="check"),
    path("<uuid:key_id>/message/", detail.key_message, name="message"),
    path("<uuid:key_id>/edit/", detail.key_edit, name="edit"),
    path("<uuid:key_id>/use-again/", detail.key_use_again, name="use_again"),
    path("<uuid:key_id>/enable/", detail.key_enable, name="enable"),
    path("<uuid:key_id>/disable/", detail.key_disable, name="disable"),
    path("<uuid:key_id>/delete/", detail.key_delete, name="delete"),
    path("<uuid:key_id>/rotate/", rotation.key_rotate, name="rotate"),
    path("<uuid:key_id>/versions/<int:number>/switch/", rotation.version_switch, name="switch"),
    path("<uuid:key_id>/versions/<int:number>/revoke/", rotation.version_revoke, name="revoke"),
]
