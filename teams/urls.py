"""Addresses of a workspace's gateway keys, projects and settings, below ``/w/<workspace>/``."""

from django.urls import path

from teams.views import gateway_keys, projects, prompts, workspace

app_name = "teams"

urlpatterns = [
    path("api-keys/", gateway_keys.gateway_key_list, name="gateway_key_list"),
    path("api-keys/new/", gateway_keys.gateway_key_create, name="gateway_key_create"),
    path("api-keys/<uuid:key_id>/edit/", gateway_keys.gateway_key_edit, name="gateway_key_edit"),
    path("api-keys/<uuid:key_id>/revoke/", gateway_keys.gateway_key_revoke, name="gateway_key_revoke"),
    path("api-keys/<uuid:key_id>/first-request/", gateway_keys.first_request, name="first_request"),
    path("projects/", projects.project_list, name="project_list"),
    path("projects/new/", projects.project_create, name="project_create"),
    path("projects/<uuid:project_id>/edit/", projects.project_edit, name="project_edit"),
    path("projects/<uuid:project_id>/archive/", projects.project_archive, name="project_archive"),
    path("projects/<uuid:project_id>/restore/", projects.project_restore, name="project_restore"),
    path("settings/", workspace.settings_page, name="settings"),
    path("settings/calls/", workspace.call_rules, name="call_rules"),
    path("settings/prompts/", prompts.prompt_storage, name="prompt_storage"),
    path("settings/prompts/delete/", prompts.stored_prompts_delete, name="stored_prompts_delete"),
    path("settings/master-key-copied/", workspace.master_key_copied, name="master_key_copied"),
    path("checklist/dismiss/", workspace.checklist_dismiss, name="checklist_dismiss"),
]
